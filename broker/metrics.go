package broker

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the broker counts. They work without being registered.
type metrics struct {
	received, accepted, duplicates       prometheus.Counter
	refusedBy                            *prometheus.CounterVec
	appendTime, endToEnd                 prometheus.Histogram
	deliveries, redeliveries             prometheus.Counter
	acks, refusals, filterFailures       prometheus.Counter
	receipts, receiptFailures            prometheus.Counter
	hits, misses                         prometheus.Counter
	trimmedNotices, trimmedSkipped       prometheus.Counter
	invalidRelayed, sameIVORN, takeovers prometheus.Counter
	resumes, expired, givenUp            prometheus.Counter
}

// The bounds of the latency histograms, in seconds: the bars are at 3 and 15 ms.
var latencyBuckets = []float64{
	.0001, .00025, .0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25, .5, 1, 2.5, 10, 60,
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	var all []prometheus.Collector
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "tocsin_" + name, Help: help})
		all = append(all, c)
		return c
	}
	histogram := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tocsin_" + name, Help: help, Buckets: latencyBuckets})
		all = append(all, h)
		return h
	}
	m := &metrics{
		received:   counter("notices_received_total", "Submissions that came in, whatever became of them."),
		accepted:   counter("notices_accepted_total", "Notices that were journaled."),
		duplicates: counter("notices_duplicate_total", "Submissions that the journal had already."),
		refusedBy: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_notices_refused_total", Help: "Submissions that were not taken, by reason.",
		}, []string{"reason"}),
		invalidRelayed:  counter("notices_invalid_total", "Relayed notices that were journaled although the check found errors."),
		sameIVORN:       counter("notices_same_ivorn_total", "Notices journaled under an IVORN that another kept notice has."),
		appendTime:      histogram("journal_append_seconds", "From handing a notice to the journal until it is on stable storage."),
		endToEnd:        histogram("end_to_end_seconds", "From the arrival of a notice until it was written to a subscriber that was following."),
		deliveries:      counter("deliveries_total", "Notices written to subscribers."),
		redeliveries:    counter("redeliveries_total", "Of the deliveries, those marked as repeats."),
		acks:            counter("acks_total", "Deliveries that subscribers acknowledged."),
		refusals:        counter("delivery_refusals_total", "Deliveries that subscribers refused."),
		filterFailures:  counter("filter_failures_total", "Notices that a filter could not decide on."),
		receipts:        counter("receipts_total", "Receipts that were journaled."),
		receiptFailures: counter("receipt_write_failures_total", "Failed attempts to journal receipts; they are repeated."),
		hits:            counter("cache_hits_total", "Notices that followers got from memory."),
		misses:          counter("cache_misses_total", "Blocks of notices that followers had read from the journal."),
		trimmedNotices:  counter("journal_trimmed_total", "Notices removed from the journal because of age or size."),
		trimmedSkipped:  counter("notices_trimmed_unread_total", "Notices that were trimmed before a follower behind them could read them."),
		takeovers:       counter("takeovers_total", "Durable subscriptions taken over by a newer connection."),
		resumes:         counter("automatic_resumes_total", "Connections that found notices waiting in their automatic subscription."),
		expired:         counter("automatic_expired_total", "Automatic subscriptions removed because nobody came back in time."),
		givenUp:         counter("deliveries_given_up_total", "Notices, or whole places, of automatic subscriptions given up after repeated deliveries without an answer."),
	}
	for _, r := range Reasons() {
		m.refusedBy.WithLabelValues(r)
	}
	all = append(all, m.refusedBy)
	if reg == nil {
		return m, nil
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// The subscriptions that get a time series of their own: durable ones, and the
// others that are furthest behind.
const (
	durableSeries   = 500
	ephemeralSeries = 20
)

// collector tells about followers and the journal when it is asked.
type collector struct{ b *Broker }

var (
	lagDesc = prometheus.NewDesc("tocsin_subscription_lag_notices",
		"Notices after the cursor of a subscription: durable ones, and the others furthest behind.", []string{"subscription"}, nil)
	lagSecondsDesc = prometheus.NewDesc("tocsin_subscription_lag_seconds",
		"Age of the oldest notice after the cursor of a subscription.", []string{"subscription"}, nil)
	inFlightDesc = prometheus.NewDesc("tocsin_deliveries_in_flight",
		"Deliveries that wait for their acknowledgements.", nil, nil)
	oldestDesc = prometheus.NewDesc("tocsin_oldest_unacked_seconds",
		"Age of the oldest delivery that waits for its acknowledgement.", nil, nil)
	subscriptionsDesc = prometheus.NewDesc("tocsin_subscriptions",
		"Subscriptions by state: following; durable and not followed now (away); automatic and waiting for their subscribers to come back (waiting).",
		[]string{"state"}, nil)
	unsavedDesc = prometheus.NewDesc("tocsin_receipts_unsaved",
		"Receipts that are gathered and not yet journaled.", nil, nil)
	recordsDesc   = prometheus.NewDesc("tocsin_journal_notices", "Notices that the journal keeps.", nil, nil)
	lastDesc      = prometheus.NewDesc("tocsin_journal_last_seq", "Number of the newest notice.", nil, nil)
	liveBytesDesc = prometheus.NewDesc("tocsin_journal_live_bytes", "Bytes of kept notices and receipts, as stored.", nil, nil)
	fileBytesDesc = prometheus.NewDesc("tocsin_journal_file_bytes", "Size of the journal's file.", nil, nil)
	queueDesc     = prometheus.NewDesc("tocsin_journal_queue", "Appends that wait for the journal.", nil, nil)
	failuresDesc  = prometheus.NewDesc("tocsin_journal_failures_total", "Transactions of the journal that failed.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		lagDesc, lagSecondsDesc, inFlightDesc, oldestDesc, subscriptionsDesc, unsavedDesc,
		recordsDesc, lastDesc, liveBytesDesc, fileBytesDesc, queueDesc, failuresDesc,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	following, away := c.b.queues()
	inFlight, oldest := 0, 0.0
	var durable, others []FollowerStatus
	for _, s := range following {
		inFlight += s.InFlight
		oldest = max(oldest, s.OldestUnackedS)
		if s.Durable && !s.Automatic {
			durable = append(durable, s)
		} else {
			others = append(others, s)
		}
	}
	gauge(subscriptionsDesc, float64(len(following)), "following")
	// A subscriber that stays away has no right to an alarm unless it has named its subscription.
	awaited := slices.DeleteFunc(slices.Clone(away), func(s FollowerStatus) bool { return s.Automatic })
	gauge(subscriptionsDesc, float64(len(away)-len(awaited)), "waiting")
	away = awaited
	gauge(subscriptionsDesc, float64(len(away)), "away")
	gauge(inFlightDesc, float64(inFlight))
	gauge(oldestDesc, oldest)
	gauge(unsavedDesc, float64(c.b.writer.unsaved.Load()))
	told := make(map[string]bool)
	for _, s := range c.b.aged(slices.Concat(furthest(append(durable, away...), durableSeries), furthest(others, ephemeralSeries))) {
		if told[s.ID] { // two connections may carry one name; the one further behind counts
			continue
		}
		told[s.ID] = true
		gauge(lagDesc, float64(s.Lag), s.ID)
		gauge(lagSecondsDesc, s.LagS, s.ID)
	}
	st := c.b.c.Log.Stats()
	gauge(recordsDesc, float64(st.Records))
	gauge(lastDesc, float64(st.Last))
	gauge(liveBytesDesc, float64(st.LiveBytes))
	gauge(fileBytesDesc, float64(st.FileBytes))
	gauge(queueDesc, float64(st.QueueLen))
	ch <- prometheus.MustNewConstMetric(failuresDesc, prometheus.CounterValue, float64(st.Failures))
}

// furthest gives the n subscriptions that are furthest behind, in that order.
func furthest(all []FollowerStatus, n int) []FollowerStatus {
	slices.SortFunc(all, func(a, b FollowerStatus) int {
		return cmp.Or(cmp.Compare(b.Lag, a.Lag), cmp.Compare(b.LagS, a.LagS), cmp.Compare(a.ID, b.ID))
	})
	return all[:min(n, len(all))]
}
