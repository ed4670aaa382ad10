package broker

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tocsin/broker/filter"

	"github.com/prometheus/client_golang/prometheus"
)

// series gives what a registry tells, as "name{labels}" to value; histograms by
// their count.
func series(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "{" + l.GetName() + "=" + l.GetValue() + "}"
			}
			switch {
			case m.GetCounter() != nil:
				out[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				out[name] = m.GetGauge().GetValue()
			case m.GetHistogram() != nil:
				out[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return out
}

func TestStatusAndMetricsTellTheSame(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := start(t, Config{Registerer: reg})
	away := h.follow(t, station, true)
	away.end()
	spec := filter.Spec{Roles: []string{"observation"}}
	behind := h.follow(t, Subscription{ID: "behind", Owner: "me", Remote: "127.0.0.1:5", Filter: spec}, false)
	current := h.follow(t, Subscription{ID: "current"}, true)
	h.ingest(t, some(0, 10)...)
	if _, err := h.Ingest(t.Context(), submission(nth(3))); err == nil {
		t.Fatal("a duplicate was taken")
	}
	if _, err := h.Ingest(t.Context(), submission([]byte("nonsense"))); err == nil {
		t.Fatal("nonsense was taken")
	}
	behind.first(t, 10)
	current.first(t, 10)
	behind.Acked(1)
	behind.Refused(2, "why not")
	until(t, "deliveries are counted", func() bool { return h.Status().Deliveries == 20 })

	st := h.Status()
	if st.Received != 12 || st.Accepted != 10 || st.Duplicates != 1 || st.Refused[ReasonNotWellFormed] != 1 || st.Acks != 11 {
		t.Errorf("%+v", st)
	}
	if st.Journal.First != 1 || st.Journal.Last != 10 || st.Journal.Records != 10 || st.Journal.LiveBytes == 0 {
		t.Errorf("journal %+v", st.Journal)
	}
	if len(st.LastRefusals) != 1 || st.LastRefusals[0].Source != "authors 127.0.0.1:4711" || st.LastRefusals[0].Kind != "invalid" {
		t.Errorf("refusals %+v", st.LastRefusals)
	}
	if st.FollowerCount != 2 || len(st.Followers) != 2 || st.Followers[0].ID != "behind" || st.Followers[1].ID != "current" {
		t.Fatalf("followers %+v", st.Followers)
	}
	b := st.Followers[0]
	if b.Owner != "me" || b.Remote != "127.0.0.1:5" || b.Cursor != 2 || b.Lag != 8 || b.LagS <= 0 || b.InFlight != 8 || b.OldestUnackedS <= 0 ||
		b.Delivered != 10 || b.Acked != 1 || b.Refused != 1 || len(b.Filter.Roles) != 1 || b.Since.IsZero() {
		t.Errorf("behind: %+v", b)
	}
	if c := st.Followers[1]; c.Cursor != 10 || c.Lag != 0 || c.LagS != 0 || c.InFlight != 0 {
		t.Errorf("current: %+v", c)
	}
	if len(st.Disconnected) != 1 || st.Disconnected[0].ID != "station" || st.Disconnected[0].Lag != 10 || st.Disconnected[0].LagS <= 0 {
		t.Errorf("disconnected: %+v", st.Disconnected)
	}
	encoded, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(encoded), `"last_refusals":[{`, `"oldest_unacked_s":`, `"followers":[{"id":"behind"`)

	got := series(t, reg)
	for name, want := range map[string]float64{
		"tocsin_notices_received_total":                         12,
		"tocsin_notices_accepted_total":                         10,
		"tocsin_notices_duplicate_total":                        1,
		"tocsin_notices_refused_total{reason=not-well-formed}":  1,
		"tocsin_notices_refused_total{reason=role}":             0,
		"tocsin_journal_append_seconds":                         10,
		"tocsin_end_to_end_seconds":                             20,
		"tocsin_deliveries_total":                               20,
		"tocsin_acks_total":                                     11,
		"tocsin_delivery_refusals_total":                        1,
		"tocsin_redeliveries_total":                             0,
		"tocsin_subscriptions{state=following}":                 2,
		"tocsin_subscriptions{state=away}":                      1,
		"tocsin_deliveries_in_flight":                           8,
		"tocsin_subscription_lag_notices{subscription=behind}":  8,
		"tocsin_subscription_lag_notices{subscription=current}": 0,
		"tocsin_subscription_lag_notices{subscription=station}": 10,
		"tocsin_journal_last_seq":                               10,
		"tocsin_cache_hits_total":                               20,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}

func TestSeriesOfSubscriptionsAreBounded(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := start(t, Config{Registerer: reg})
	for range 3 * ephemeralSeries {
		h.follow(t, Subscription{}, true)
	}
	n := 0
	for name := range series(t, reg) {
		if strings.HasPrefix(name, "tocsin_subscription_lag_notices{") {
			n++
		}
	}
	if n != ephemeralSeries {
		t.Errorf("%d series", n)
	}
}

func TestLastRefusalsAreBoundedAndNewestFirst(t *testing.T) {
	t.Parallel()
	var r refusalRing
	for i := range 2*maxRefusals + 7 {
		r.add(Refusal{Time: time.Unix(int64(i), 0)})
	}
	got := r.newestFirst()
	if len(got) != maxRefusals {
		t.Fatalf("%d", len(got))
	}
	for i, x := range got {
		if x.Time.Unix() != int64(2*maxRefusals+6-i) {
			t.Fatalf("the %dth is of %v", i, x.Time.Unix())
		}
	}
}

func TestTwoBrokersCannotShareARegistry(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	h := start(t, Config{Registerer: reg})
	if _, err := New(Config{Log: h.log, Registerer: reg}); err == nil {
		t.Error("no error")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no error without a journal")
	}
}

func TestAFilterThatDoesNotEndIsTold(t *testing.T) {
	t.Parallel()
	h := start(t, Config{FilterLimits: filter.Limits{XPathSteps: 1}})
	f := h.follow(t, Subscription{ID: "costly", Filter: filter.Spec{XPath: []string{`//Param[@name="TrigID"]`}}}, true)
	h.ingest(t, padded(1), padded(2))
	until(t, "failures are counted", func() bool { return f.Status().FilterFailures == 2 })
	st := f.Status()
	contains(t, st.FilterError, "xpath")
	if st.Delivered != 0 || value(h.m.filterFailures) != 2 {
		t.Errorf("%+v", st)
	}
}
