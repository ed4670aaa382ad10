package journal

import "fmt"

// searchAhead adds what the write-ahead file has: what follows the last notice of
// a sound file, and all that is missing in a damaged one.
func (s *found) searchAhead(path string) error {
	fs, err := framesBeside(path)
	if err != nil {
		return err
	}
	last := Seq(0)
	for seq := range s.records {
		last = max(last, seq)
	}
	add := func(seq Seq, v []byte) {
		h, err := decodeHead(seq, v)
		if err == nil {
			_, err = decodeRecord(seq, v, s.codec)
		}
		if err != nil {
			s.report.Damaged++
			s.report.problem("", fmt.Sprintf("notice %d in the write-ahead file: %v", seq, err))
			return
		}
		if _, have := s.records[seq]; !have {
			s.records[seq] = place{key: uint64(seq), len: len(v), sec: h.sec, nsec: h.nsec, value: v}
			s.used = max(s.used, seq)
		}
	}
	as, gap, err := after(fs, last)
	if gap {
		s.report.problem("", fmt.Sprintf("notices between %d and those in the write-ahead file are missing", last))
	}
	if err != nil {
		s.report.problem("", fmt.Sprintf("a notice in the write-ahead file: %v", err))
	}
	if len(s.broken) == 0 {
		for i := range as {
			add(as[i].seq, as[i].value)
		}
		return nil
	}
	for i := range fs {
		for k, v := range fs[i].values {
			add(fs[i].first+Seq(k), v)
		}
	}
	return nil
}
