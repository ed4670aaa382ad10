package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// A stored record is a head of headSize bytes, then name, source and payload.
// All numbers are little-endian. The layout never changes under one version.
//
//	 0  u32  CRC-32C of the key in the bucket (the number, 8 bytes) and head[4:]
//	 4  u32  CRC-32C of all that follows the head
//	 8  u8   kind 'N'
//	 9  u8   version 1
//	10  u8   encoding of the payload: 0 as is, 1 zstd, 2 S2
//	11  u8   zero
//	12  u32  flags
//	16  i64  received, seconds since 1970
//	24  u32  received, nanoseconds
//	28  u32  length of the notice as received
//	32  32   key
//	64  u64  the kept notice of the same name before this one, 0 when none
//	72  u16  length of the name
//	74  u16  length of the source
//	76  u32  length of the payload
//
// Two checksums, so that a lookup by key or a trim verifies what it uses
// without touching the pages of the payload.
const (
	headSize      = 80
	recordKind    = 'N'
	recordVersion = 1

	encodingPlain = 0
	encodingZstd  = 1
	encodingS2    = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errRecord = errors.New("record does not verify")

// head is the decoded head of a stored record.
type head struct {
	bodyCRC  uint32
	encoding byte
	flags    uint32
	sec      int64
	nsec     uint32
	rawLen   int
	key      [32]byte
	prev     Seq
	nameLen  int
	srcLen   int
	dataLen  int
}

func (h *head) received() time.Time { return time.Unix(h.sec, int64(h.nsec)).UTC() }

// appendRecord appends r as stored to b, without what only the owner knows:
// see seal.
func appendRecord(b []byte, r *Record, c *codec, fast bool) []byte {
	start := len(b)
	b = append(b, make([]byte, headSize)...)
	b = append(b, r.Name...)
	b = append(b, r.Source...)
	payload := len(b)
	b, encoding := c.compress(b, r.Raw, fast)
	h := b[start : start+headSize : start+headSize]
	le := binary.LittleEndian
	le.PutUint32(h[4:], crc32.Checksum(b[start+headSize:], castagnoli))
	h[8], h[9], h[10] = recordKind, recordVersion, encoding
	le.PutUint64(h[16:], uint64(r.Received.Unix()))
	le.PutUint32(h[24:], uint32(r.Received.Nanosecond()))
	le.PutUint32(h[28:], uint32(len(r.Raw)))
	copy(h[32:64], r.Key[:])
	le.PutUint16(h[72:], uint16(len(r.Name)))
	le.PutUint16(h[74:], uint16(len(r.Source)))
	le.PutUint32(h[76:], uint32(len(b)-payload))
	return b
}

// seal completes a stored record with what the owner gives it: flags, the
// number (through the checksum) and the notice of the same name before it.
func seal(v []byte, seq Seq, flags uint32, prev Seq) {
	le := binary.LittleEndian
	le.PutUint32(v[12:], flags)
	le.PutUint64(v[64:], uint64(prev))
	le.PutUint32(v[0:], headCRC(v, seq))
}

func headCRC(v []byte, seq Seq) uint32 {
	k := seqKey(seq)
	return crc32.Update(crc32.Checksum(k[:], castagnoli), castagnoli, v[4:headSize])
}

// decodeHead verifies and decodes the head of a record stored under seq.
func decodeHead(seq Seq, v []byte) (head, error) {
	var h head
	if len(v) < headSize || v[8] != recordKind {
		return h, errRecord
	}
	le := binary.LittleEndian
	if le.Uint32(v) != headCRC(v, seq) {
		return h, errRecord
	}
	if v[9] != recordVersion {
		return h, fmt.Errorf("record of unknown version %d", v[9])
	}
	h.bodyCRC = le.Uint32(v[4:])
	h.encoding = v[10]
	h.flags = le.Uint32(v[12:])
	h.sec = int64(le.Uint64(v[16:]))
	h.nsec = le.Uint32(v[24:])
	h.rawLen = int(le.Uint32(v[28:]))
	copy(h.key[:], v[32:64])
	h.prev = Seq(le.Uint64(v[64:]))
	h.nameLen = int(le.Uint16(v[72:]))
	h.srcLen = int(le.Uint16(v[74:]))
	h.dataLen = int(le.Uint32(v[76:]))
	if h.rawLen > MaxRaw || h.nsec >= 1e9 || len(v)-headSize != h.nameLen+h.srcLen+h.dataLen {
		return h, errRecord
	}
	return h, nil
}

// name gives the name in a stored record; only its head has been verified.
func (h *head) name(v []byte) []byte { return v[headSize : headSize+h.nameLen] }

// decodeRecord verifies and decodes the record stored under seq. The result
// shares no memory with v.
func decodeRecord(seq Seq, v []byte, c *codec) (Record, error) {
	h, err := decodeHead(seq, v)
	if err != nil {
		return Record{}, err
	}
	body := v[headSize:]
	if crc32.Checksum(body, castagnoli) != h.bodyCRC {
		return Record{}, errRecord
	}
	raw, err := c.expand(body[h.nameLen+h.srcLen:], h.encoding, h.rawLen)
	if err != nil {
		return Record{}, err
	}
	return Record{
		Seq:      seq,
		Key:      h.key,
		Name:     string(body[:h.nameLen]),
		Source:   string(body[h.nameLen : h.nameLen+h.srcLen]),
		Received: h.received(),
		Flags:    h.flags,
		Raw:      raw,
	}, nil
}

// seqKey is how numbers are keys: big-endian, so that they sort.
func seqKey(s Seq) [8]byte {
	var k [8]byte
	binary.BigEndian.PutUint64(k[:], uint64(s))
	return k
}

// keySeq is the number in a key; ok is false when it is none.
func keySeq(k []byte) (Seq, bool) {
	if len(k) != 8 {
		return 0, false
	}
	return Seq(binary.BigEndian.Uint64(k)), true
}
