package journal

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// smallest is the length below which compressing a notice is not tried.
const smallest = 128

// codec compresses and expands payloads. One is shared by all journals of the
// process: its encoders and decoders are pooled and hold tables of some hundred
// kilobytes each.
type codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

var sharedCodec = sync.OnceValues(func() (*codec, error) {
	n := runtime.GOMAXPROCS(0)
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(n),
		zstd.WithEncoderCRC(false), // records carry their own
		zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(256<<10),
	)
	if err != nil {
		return nil, fmt.Errorf("journal: zstd encoder: %w", err)
	}
	dec, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(n),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxRaw),
	)
	if err != nil {
		return nil, fmt.Errorf("journal: zstd decoder: %w", err)
	}
	return &codec{enc: enc, dec: dec}, nil
})

// compress appends raw to b in the form that fits: as it is when c is nil or
// compression does not save a tenth, else by S2 when fast and by zstd when not.
func (c *codec) compress(b, raw []byte, fast bool) ([]byte, byte) {
	start := len(b)
	if c == nil || len(raw) < smallest {
		return append(b, raw...), encodingPlain
	}
	encoding := byte(encodingZstd)
	if fast {
		encoding = encodingS2
		n := s2.MaxEncodedLen(len(raw))
		if cap(b)-start < n {
			b = append(b, make([]byte, n)...)[:start]
		}
		b = b[:start+len(s2.Encode(b[start:start+n], raw))]
	} else {
		b = c.enc.EncodeAll(raw, b)
	}
	if len(b)-start > len(raw)-len(raw)/10 {
		return append(b[:start], raw...), encodingPlain
	}
	return b, encoding
}

// expand gives the n bytes that data stands for, in memory of their own.
func (c *codec) expand(data []byte, encoding byte, n int) ([]byte, error) {
	raw := make([]byte, 0, n)
	var err error
	switch encoding {
	case encodingPlain:
		raw = append(raw, data...)
	case encodingZstd:
		raw, err = c.dec.DecodeAll(data, raw)
	case encodingS2:
		m, lenErr := s2.DecodedLen(data)
		if lenErr != nil || m != n {
			return nil, errRecord
		}
		raw, err = s2.Decode(raw[:n], data)
	default:
		return nil, fmt.Errorf("record of unknown encoding %d", encoding)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	if len(raw) != n {
		return nil, errRecord
	}
	return raw, nil
}
