package xmltree_test

import (
	"os"
	"testing"

	"tocsin/voevent/xmltree"
)

// BenchmarkParse reads a notice of the usual size of GCN's.
func BenchmarkParse(b *testing.B) {
	raw, err := os.ReadFile("../testdata/swift-bat-pos.xml")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := xmltree.Parse(raw, xmltree.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
