package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// Widths of the two fields that differ from notice to notice. They are fixed so that a notice is made by overwriting.
const (
	serialWidth = 12
	stampWidth  = 20
)

// template is a notice of the size and shape of a real Swift BAT position notice (6.3 kB), of which the serial number in
// the IVORN and the time of sending can be overwritten in place.
type template struct {
	frame  []byte // length prefix and payload
	serial int    // offset of the serial number
	stamp  int    // offset of the time of sending
}

func newTemplate(series string) *template {
	var b strings.Builder
	serial := strings.Repeat("0", serialWidth)
	stamp := strings.Repeat("0", stampWidth)
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent ivorn="ivo://tocsin.load/%s#Pos_%s" role="test" version="2.0" xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.ivoa.net/xml/VOEvent/v2.0 http://www.ivoa.net/xml/VOEvent/VOEvent-v2.0.xsd">
  <Who>
    <AuthorIVORN>ivo://tocsin.load/author</AuthorIVORN>
    <Author>
      <shortName>Load client</shortName>
      <contactName>Nobody in particular</contactName>
      <contactEmail>nobody@tocsin.invalid</contactEmail>
    </Author>
    <Date>2026-04-06T12:00:00</Date>
    <Description>This notice measures a broker. No telescope should move.</Description>
  </Who>
  <What>
    <Param name="Packet_Type" value="61" />
    <Param name="Sent_ns" value="%s" unit="ns" ucd="time" />
`, series, serial, stamp)
	tail := `  </What>
  <WhereWhen>
    <ObsDataLocation>
      <ObservatoryLocation id="GEOLUN" />
      <ObservationLocation>
        <AstroCoordSystem id="UTC-FK5-GEO" />
        <AstroCoords coord_system_id="UTC-FK5-GEO">
          <Time unit="s"><TimeInstant><ISOTime>2026-04-06T11:59:38.55</ISOTime></TimeInstant></Time>
          <Position2D unit="deg">
            <Name1>RA</Name1><Name2>Dec</Name2>
            <Value2><C1>74.7412</C1><C2>25.3137</C2></Value2>
            <Error2Radius>0.0500</Error2Radius>
          </Position2D>
        </AstroCoords>
      </ObservationLocation>
    </ObsDataLocation>
    <Description>The RA,Dec coordinates are of the type: source_object.</Description>
  </WhereWhen>
  <How>
    <Description>A load client that stands for the Swift satellite, BAT instrument</Description>
    <Reference uri="http://gcn.gsfc.nasa.gov/swift.html" type="url" />
  </How>
  <Why importance="0.95">
    <Inference probability="0.90"><Name>GRB 260406A</Name><Concept>process.variation.burst;em.gamma</Concept></Inference>
  </Why>
  <Description>A notice of the load client.</Description>
</voe:VOEvent>
`
	for i := 0; b.Len()+len(tail) < noticeBytes-100; i++ {
		fmt.Fprintf(&b, "    <Param name=\"Field_%02d\" value=\"%d.%04d\" unit=\"deg\" ucd=\"pos.eq.ra;meta.number\" />\n", i, i*37%360, i*7919%10000)
	}
	b.WriteString(tail)
	doc := b.String()
	t := &template{frame: appendFrame(nil, []byte(doc))}
	t.serial = bytes.Index(t.frame, []byte("#Pos_")) + len("#Pos_")
	t.stamp = bytes.Index(t.frame, []byte("Sent_ns\" value=\"")) + len("Sent_ns\" value=\"")
	return t
}

// next stamps the frame with a serial number and the present time and returns it; it is valid until the next call.
func (t *template) next(serial uint64) []byte {
	putDigits(t.frame[t.serial:t.serial+serialWidth], serial)
	putDigits(t.frame[t.stamp:t.stamp+stampWidth], uint64(sinceStart()))
	return t.frame
}

// readSerial finds the serial number of a notice made by next; ok is false for anything else.
func (t *template) readSerial(frame []byte) (serial uint64, ok bool) {
	if len(frame) != len(t.frame) {
		return 0, false
	}
	return digits(frame[t.serial : t.serial+serialWidth]), true
}

// age is the time since the notice was stamped.
func (t *template) age(frame []byte) time.Duration {
	return sinceStart() - time.Duration(digits(frame[t.stamp:t.stamp+stampWidth]))
}

// ivorn returns the IVORN of a notice made by next.
func (t *template) ivorn(frame []byte) []byte {
	from := bytes.Index(t.frame, []byte(`ivorn="`)) + len(`ivorn="`)
	return frame[from : t.serial+serialWidth]
}

func putDigits(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
}

func digits(b []byte) uint64 {
	var v uint64
	for _, c := range b {
		v = v*10 + uint64(c-'0')
	}
	return v
}

var start = time.Now()

func sinceStart() time.Duration { return time.Since(start) }
