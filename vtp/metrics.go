package vtp

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counters of the package, shared by any number of servers and clients. A nil *Metrics counts nothing.
type Metrics struct {
	open      *prometheus.GaugeVec
	conns     *prometheus.CounterVec
	closes    *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	framesIn  *prometheus.CounterVec
	framesOut *prometheus.CounterVec
	bytesIn   *prometheus.CounterVec
	bytesOut  *prometheus.CounterVec
	receipts  *prometheus.CounterVec
	naks      *prometheus.CounterVec
	alives    *prometheus.CounterVec
	strays    *prometheus.CounterVec
	filters   *prometheus.CounterVec
	panics    *prometheus.CounterVec
	accepts   *prometheus.CounterVec
	ackAge    *prometheus.HistogramVec
}

// NewMetrics makes the counters and registers them with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "tocsin", Subsystem: "vtp", Name: name, Help: help}
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(opts(name, help), append([]string{"listener"}, labels...))
	}
	m := &Metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "tocsin", Subsystem: "vtp", Name: "connections", Help: "Connections that are open.",
		}, []string{"listener"}),
		conns:     counter("connections_total", "Connections accepted or made."),
		closes:    counter("closes_total", "Connections ended, by reason.", "reason"),
		refusals:  counter("turned_away_total", "Connections closed at once, by reason.", "reason"),
		framesIn:  counter("frames_in_total", "Frames received."),
		framesOut: counter("frames_out_total", "Notices written to subscribers."),
		bytesIn:   counter("bytes_in_total", "Bytes received."),
		bytesOut:  counter("bytes_out_total", "Bytes written."),
		receipts:  counter("receipts_total", "Receipts given to authors (dir=out) or got from subscribers (dir=in): ack, nak or none.", "dir", "receipt"),
		naks:      counter("naks_total", "Notices refused, by reason.", "reason"),
		alives:    counter("iamalives_total", "Keep-alives received (dir=in) and sent (dir=out).", "dir"),
		strays:    counter("strays_total", "Messages received that make no sense where they came."),
		filters:   counter("wishes_total", "Authenticate messages of subscribers: accepted or refused.", "outcome"),
		panics:    counter("panics_total", "Bugs that ended a connection."),
		accepts:   counter("accept_errors_total", "Failures to accept a connection, such as too many open files."),
		ackAge: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "tocsin", Subsystem: "vtp", Name: "receipt_seconds",
			Help:    "Time from a notice to its receipt: ours to an author (dir=out), a subscriber's to us (dir=in).",
			Buckets: []float64{.0005, .001, .002, .003, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"listener", "dir"}),
	}
	if reg != nil {
		reg.MustRegister(m.open, m.conns, m.closes, m.refusals, m.framesIn, m.framesOut, m.bytesIn, m.bytesOut, m.receipts,
			m.naks, m.alives, m.strays, m.filters, m.panics, m.accepts, m.ackAge)
	}
	return m
}

// A meter is the part of Metrics that belongs to one listener or remote, looked up once. A nil *meter counts nothing.
type meter struct {
	listener                               string
	all                                    *Metrics
	open                                   prometheus.Gauge
	conns, accepts, panics, strays         prometheus.Counter
	framesIn, framesOut, bytesIn, bytesOut prometheus.Counter
	alivesIn, alivesOut                    prometheus.Counter
	outAck, outNak, outNone, inAck, inNak  prometheus.Counter
	accepted, refused                      prometheus.Counter
	ageOut, ageIn                          prometheus.Observer
}

func (m *Metrics) meter(listener string) *meter {
	if m == nil {
		return nil
	}
	return &meter{
		listener: listener, all: m,
		open: m.open.WithLabelValues(listener), conns: m.conns.WithLabelValues(listener),
		accepts: m.accepts.WithLabelValues(listener), panics: m.panics.WithLabelValues(listener),
		strays:   m.strays.WithLabelValues(listener),
		framesIn: m.framesIn.WithLabelValues(listener), framesOut: m.framesOut.WithLabelValues(listener),
		bytesIn: m.bytesIn.WithLabelValues(listener), bytesOut: m.bytesOut.WithLabelValues(listener),
		alivesIn: m.alives.WithLabelValues(listener, "in"), alivesOut: m.alives.WithLabelValues(listener, "out"),
		outAck:  m.receipts.WithLabelValues(listener, "out", "ack"),
		outNak:  m.receipts.WithLabelValues(listener, "out", "nak"),
		outNone: m.receipts.WithLabelValues(listener, "out", "none"),
		inAck:   m.receipts.WithLabelValues(listener, "in", "ack"), inNak: m.receipts.WithLabelValues(listener, "in", "nak"),
		accepted: m.filters.WithLabelValues(listener, "accepted"), refused: m.filters.WithLabelValues(listener, "refused"),
		ageOut: m.ackAge.WithLabelValues(listener, "out"), ageIn: m.ackAge.WithLabelValues(listener, "in"),
	}
}

func (m *meter) opened() {
	if m != nil {
		m.open.Inc()
		m.conns.Inc()
	}
}

func (m *meter) ended(reason string) {
	if m != nil {
		m.open.Dec()
		m.all.closes.WithLabelValues(m.listener, reason).Inc()
	}
}

func (m *meter) turnedAway(reason string) {
	if m != nil {
		m.all.refusals.WithLabelValues(m.listener, reason).Inc()
	}
}

func (m *meter) acceptFailed() {
	if m != nil {
		m.accepts.Inc()
	}
}

func (m *meter) panicked() {
	if m != nil {
		m.panics.Inc()
	}
}

func (m *meter) stray() {
	if m != nil {
		m.strays.Inc()
	}
}

func (m *meter) read(bytes int) {
	if m != nil {
		m.bytesIn.Add(float64(bytes))
	}
}

func (m *meter) frameIn() {
	if m != nil {
		m.framesIn.Inc()
	}
}

// wrote counts bytes written, and the notices among them.
func (m *meter) wrote(bytes, notices int) {
	if m == nil {
		return
	}
	m.bytesOut.Add(float64(bytes))
	if notices > 0 {
		m.framesOut.Add(float64(notices))
	}
}

func (m *meter) aliveIn() {
	if m != nil {
		m.alivesIn.Inc()
	}
}

func (m *meter) aliveOut() {
	if m != nil {
		m.alivesOut.Inc()
	}
}

// answered counts a receipt of ours.
func (m *meter) answered(kind receiptKind, age time.Duration) {
	if m == nil {
		return
	}
	switch kind {
	case receiptAck:
		m.outAck.Inc()
	case receiptNak:
		m.outNak.Inc()
	case receiptNone:
		m.outNone.Inc()
		return
	}
	m.ageOut.Observe(age.Seconds())
}

func (m *meter) nak(reason string) {
	if m != nil {
		m.all.naks.WithLabelValues(m.listener, reason).Inc()
	}
}

// receipt counts a receipt of a subscriber.
func (m *meter) receipt(kind receiptKind, age time.Duration) {
	if m == nil {
		return
	}
	if kind == receiptAck {
		m.inAck.Inc()
	} else {
		m.inNak.Inc()
	}
	m.ageIn.Observe(age.Seconds())
}

// wishes counts an authenticate message of a subscriber.
func (m *meter) wishes(accepted bool) {
	switch {
	case m == nil:
	case accepted:
		m.accepted.Inc()
	default:
		m.refused.Inc()
	}
}
