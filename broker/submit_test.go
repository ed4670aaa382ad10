package broker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/testbed"
	"tocsin/journal"
	"tocsin/voevent"
)

func edit(from, to string) []byte {
	b := nth(1)
	if !bytes.Contains(b, []byte(from)) {
		panic(from + " is not in the notice")
	}
	return bytes.Replace(b, []byte(from), []byte(to), 1)
}

func TestSubmitRefuses(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Limits: voevent.Limits{Bytes: 4096}})
	tests := []struct {
		name   string
		raw    []byte
		source Source
		kind   Kind
		reason string
		says   string
		ivorn  string
	}{
		{name: "nothing", raw: nil, kind: Invalid, reason: ReasonNotWellFormed},
		{name: "no XML", raw: []byte("GET / HTTP/1.1\r\n\r\n"), kind: Invalid, reason: ReasonNotWellFormed},
		{name: "truncated", raw: nth(1)[:200], kind: Invalid, reason: ReasonNotWellFormed},
		{name: "not closed", raw: edit("</Who>", ""), kind: Invalid, reason: ReasonNotWellFormed, says: "line"},
		{name: "a DOCTYPE", raw: edit("<voe:VOEvent", `<!DOCTYPE x SYSTEM "http://example.org/x"><voe:VOEvent`), kind: Invalid, reason: ReasonDoctype, says: "DOCTYPE"},
		{name: "an unknown encoding", raw: edit("UTF-8", "KOI8-R"), kind: Invalid, reason: ReasonNotWellFormed, says: "UTF-8"},
		{name: "too large", raw: raw(stream, "big", strings.Repeat("x", 4096)), kind: Invalid, reason: ReasonOversize},
		{name: "another document", raw: []byte(`<html xmlns="http://www.w3.org/1999/xhtml"/>`), kind: Invalid, reason: ReasonSchema, says: "VOEvent"},
		{name: "no ivorn", raw: edit(`ivorn="ivo://example.org/stream#n1"`, ""), kind: Invalid, reason: ReasonIVORN, says: "ivo://"},
		{name: "an ivorn without a name", raw: edit("stream#n1", "stream"), kind: Invalid, reason: ReasonIVORN, ivorn: "ivo://example.org/stream"},
		{name: "an unknown role", raw: edit(`role="observation"`, `role="rumour"`), kind: Invalid, reason: ReasonRole, ivorn: "ivo://example.org/stream#n1"},
		{name: "an unknown version", raw: edit(`version="2.0">`, `version="7.3">`), kind: Invalid, reason: ReasonVersion, ivorn: "ivo://example.org/stream#n1"},
		{name: "an unknown namespace", raw: bytes.ReplaceAll(nth(1), []byte("VOEvent/v2.0"), []byte("VOEvent/v7.3")), kind: Invalid, reason: ReasonVersion},
		{name: "an unknown element", raw: edit("<What>", "<What><Rumour/>"), kind: Invalid, reason: ReasonSchema, ivorn: "ivo://example.org/stream#n1"},
		{
			name: "a foreign author", raw: nth(1), source: Source{Listener: "authors", Remote: "192.0.2.7:99"},
			kind: Forbidden, reason: ReasonUnauthorized, says: "192.0.2.7 may not publish to the stream example.org/stream", ivorn: "ivo://example.org/stream#n1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := submission(tt.raw)
			if tt.source != (Source{}) {
				s.Source = tt.source
			}
			_, err := h.Submit(t.Context(), s)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("not an *Error: %v", err)
			}
			if e.Kind != tt.kind || e.Reason != tt.reason {
				t.Errorf("%v, %s: %s", e.Kind, e.Reason, e.Text)
			}
			if tt.ivorn != "" && e.IVORN != tt.ivorn {
				t.Errorf("IVORN is %q", e.IVORN)
			}
			if e.Text == "" || strings.ContainsAny(e.Text, "\r\n") {
				t.Errorf("text is %q", e.Text)
			}
			contains(t, e.Text, tt.says)
			st := h.Status()
			if len(st.LastRefusals) == 0 || st.LastRefusals[0].Reason != tt.reason || st.LastRefusals[0].Text != e.Text {
				t.Errorf("the status tells nothing of it: %+v", st.LastRefusals)
			}
		})
	}
	if _, last := h.log.Bounds(); last != 0 {
		t.Errorf("%d notices were journaled", last)
	}
	if st := h.Status(); st.Received != uint64(len(tests)) || st.Refused[ReasonIVORN] != 2 {
		t.Errorf("counted %d received, %v refused", st.Received, st.Refused)
	}
}

func TestReasonsAreOfCodesThatExist(t *testing.T) {
	t.Parallel()
	for code, r := range reasons {
		if !slices.Contains(voevent.FindingCodes(), code) {
			t.Errorf("there is no finding %s", code)
		}
		if !slices.Contains(Reasons(), r) {
			t.Errorf("%s is not in the vocabulary", r)
		}
	}
}

func TestErrorKinds(t *testing.T) {
	t.Parallel()
	sentinels := map[Kind]error{Invalid: ErrInvalid, Duplicate: ErrDuplicate, Forbidden: ErrForbidden, Busy: ErrBusy}
	for kind := range sentinels {
		err := error(&Error{Kind: kind, Err: os.ErrPermission})
		for other, sentinel := range sentinels {
			if errors.Is(err, sentinel) != (kind == other) {
				t.Errorf("%v is %v: %v", kind, sentinel, kind != other)
			}
		}
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("%v hides its cause", kind)
		}
	}
}

func TestRelayFlagsWhatSubmitRefuses(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	bad := edit(`role="observation"`, `role="rumour"`)
	f := h.follow(t, Subscription{}, true)
	a, err := h.Ingest(t.Context(), Submission{Raw: bad, Source: here, Relay: true})
	if err != nil {
		t.Fatal(err)
	}
	if voevent.Valid(a.Findings) {
		t.Error("the findings are not told")
	}
	h.ingest(t, nth(2))
	got := f.first(t, 2)
	if !got[0].Invalid() || got[1].Invalid() || got[0].Flags&FlagRelayed == 0 || got[1].Flags&FlagRelayed != 0 {
		t.Errorf("flags %b and %b", got[0].Flags, got[1].Flags)
	}
	if _, err := h.Ingest(t.Context(), Submission{Raw: nth(1)[:100], Source: here, Relay: true}); !errors.Is(err, ErrInvalid) {
		t.Errorf("what cannot be read was relayed: %v", err)
	}
}

func TestDuplicatesAlsoAfterRestart(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	first, err := h.Ingest(t.Context(), submission(nth(1)))
	if err != nil {
		t.Fatal(err)
	}
	again := func(h *house) {
		t.Helper()
		f := h.follow(t, Subscription{}, true)
		// Other bytes around the same element are the same notice.
		a, err := h.Ingest(t.Context(), submission(append(nth(1), "<!-- relayed -->\n"...)))
		if !errors.Is(err, ErrDuplicate) || !a.Duplicate || a.Seq != first.Seq || a.SHA256 != first.SHA256 {
			t.Errorf("%+v, %v", a, err)
		}
		marker := h.ingest(t, nth(int(time.Now().UnixNano())))
		if got := f.first(t, 1); got[0].Seq != marker[0] {
			t.Errorf("the duplicate was delivered as %d", got[0].Seq)
		}
	}
	again(h)
	if st := h.Status(); st.Duplicates != 1 || len(st.LastRefusals) != 0 {
		t.Errorf("%d duplicates, refusals %v", st.Duplicates, st.LastRefusals)
	}
	h.stop()
	if err := h.log.Close(); err != nil {
		t.Fatal(err)
	}
	again(start(t, Config{Log: openLog(t, h.path)}))
}

func TestSameIVORNOtherBytes(t *testing.T) {
	t.Parallel()
	one, other := raw(stream, "same", "1"), raw(stream, "same", "2")
	t.Run("is accepted and flagged", func(t *testing.T) {
		h := start(t, Config{})
		h.ingest(t, one)
		f := h.follow(t, Subscription{}, true)
		a, err := h.Ingest(t.Context(), submission(other))
		if err != nil || !a.SameIVORN || a.Duplicate {
			t.Fatalf("%+v, %v", a, err)
		}
		if n := f.first(t, 1)[0]; !n.SameIVORN() {
			t.Error("the subscriber is not told")
		}
	})
	t.Run("is refused when asked for", func(t *testing.T) {
		h := start(t, Config{RefuseSameIVORN: true})
		h.ingest(t, one)
		_, err := h.Submit(t.Context(), submission(other))
		if e := new(Error); !errors.As(err, &e) || e.Kind != Invalid || e.Reason != ReasonIVORN {
			t.Fatalf("%v", err)
		}
		if _, err := h.Ingest(t.Context(), submission(one)); !errors.Is(err, ErrDuplicate) {
			t.Errorf("the same bytes: %v", err)
		}
	})
	t.Run("is refused also when both come at once", func(t *testing.T) {
		h := start(t, Config{RefuseSameIVORN: true})
		var wg sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for i := range 16 {
			wg.Go(func() {
				_, err := h.Ingest(context.Background(), submission(raw(stream, "race", strings.Repeat("x", i))))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					taken++
				case !errors.Is(err, ErrInvalid):
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		if taken != 1 {
			t.Errorf("%d were taken", taken)
		}
		if n := len(h.names.under); n != 0 {
			t.Errorf("%d names are still held", n)
		}
	})
}

func TestSubmitKeepsTheOrderOfTheCalls(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	seqs := h.ingest(t, some(0, 300)...)
	for i := 1; i < len(seqs); i++ {
		if seqs[i] != seqs[i-1]+1 {
			t.Fatalf("call %d got number %d after %d", i, seqs[i], seqs[i-1])
		}
	}
}

func TestNoticesLeaveBitForBit(t *testing.T) {
	t.Parallel()
	folder := testbed.Corpus(t, "voevent")
	h := start(t, Config{CacheBytes: 1 << 20}) // so that the older ones come back from the journal
	live := h.follow(t, Subscription{}, true)
	var sums [][32]byte
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		_, err = h.Ingest(t.Context(), Submission{Raw: b, Source: here, Relay: true})
		switch {
		case err == nil:
			sums = append(sums, sum)
		case !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrDuplicate):
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sums) < 100 {
		t.Fatalf("only %d notices were taken", len(sums))
	}
	replay := h.follow(t, Subscription{Start: Start{At: StartAfter}}, true)
	for name, r := range map[string]*following{"live": live, "replayed": replay} {
		for i, n := range r.first(t, len(sums)) {
			if sha256.Sum256(n.Raw) != sums[i] {
				t.Errorf("%s: notice %d (%s) was changed", name, n.Seq, n.Name)
			}
		}
	}
}

// failing is a journal whose disk is full, or that hangs, when told so.
type failing struct {
	journal.Log
	mu       sync.Mutex
	err      error // of appends
	commit   error
	commits  int
	progress []journal.Progress
	reads    int
}

func (l *failing) set(appends, commits error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.commit = appends, commits
}

// called says how often Commit was called.
func (l *failing) called() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.commits
}

type failed struct{ err error }

func (f failed) Wait(context.Context) (journal.Seq, error) { return 0, f.err }

func (failed) Ready() bool { return true }

func (l *failing) Enqueue(ctx context.Context, r journal.Record) (journal.Pending, error) {
	l.mu.Lock()
	err := l.err
	l.mu.Unlock()
	if err == nil {
		return l.Log.Enqueue(ctx, r)
	}
	return failed{err}, nil
}

func (l *failing) Commit(ctx context.Context, ps []journal.Progress) error {
	l.mu.Lock()
	err := l.commit
	l.commits++
	if err == nil {
		l.progress = append(l.progress, ps...)
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return l.Log.Commit(ctx, ps)
}

func (l *failing) Read(ctx context.Context, after journal.Seq, dst []journal.Record) (int, error) {
	l.mu.Lock()
	l.reads++
	l.mu.Unlock()
	return l.Log.Read(ctx, after, dst)
}

func TestAFullDiskIsBusyAndPasses(t *testing.T) {
	t.Parallel()
	log := &failing{Log: openLog(t, filepath.Join(t.TempDir(), "journal.db"))}
	h := start(t, Config{Log: log})
	log.set(journal.ErrFull, nil)
	_, err := h.Ingest(t.Context(), submission(nth(1)))
	var e *Error
	if !errors.As(err, &e) || e.Kind != Busy || e.Reason != ReasonInternal || !errors.Is(err, journal.ErrFull) {
		t.Fatalf("%v", err)
	}
	contains(t, e.Text, "disk is full", "again")
	log.set(nil, nil)
	h.ingest(t, nth(1))
	if st := h.Status(); st.Refused[ReasonInternal] != 1 || st.Accepted != 1 {
		t.Errorf("%+v", st)
	}
}

func TestAnAuthorWhoWaitsNoLongerIsToldBusy(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	p, err := h.Submit(t.Context(), submission(nth(1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stuck := &pending{b: h.Broker, notice: &Notice{}, journaled: waiting{}}
	_, err = stuck.Wait(ctx)
	if !errors.Is(err, ErrBusy) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

type waiting struct{}

func (waiting) Wait(ctx context.Context) (journal.Seq, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func (waiting) Ready() bool { return false }

func TestRateLimitIsBusyPerSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := start(t, Config{Log: openLog(t, filepath.Join(t.TempDir(), "journal.db")), Rate: RateLimit{PerSecond: 2, Burst: 3, Sources: 4}})
		send := func(s Source, i int) error {
			_, err := h.Submit(t.Context(), Submission{Raw: nth(i), Source: s})
			return err
		}
		for i := range 3 {
			if err := send(here, i); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		err := send(Source{Listener: "authors", Remote: "127.0.0.1:4712"}, 3) // another port is the same source
		var e *Error
		if !errors.As(err, &e) || e.Kind != Busy || e.Reason != ReasonRate {
			t.Fatalf("%v", err)
		}
		if err := send(Source{Listener: "authors", Remote: "127.0.0.2:4712"}, 3); err != nil {
			t.Errorf("another address: %v", err)
		}
		if err := send(Source{Listener: "authors", Remote: here.Remote, Identity: "CN=swift"}, 4); err != nil {
			t.Errorf("another identity: %v", err)
		}
		time.Sleep(time.Second)
		for i := 5; i < 7; i++ {
			if err := send(here, i); err != nil {
				t.Errorf("a second later: %v", err)
			}
		}
		h.stop()
	})
}

func TestTheRateLimitsMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := newThrottle(RateLimit{PerSecond: 1, Sources: 100})
	now := time.Now()
	for i := range 10000 {
		r.allow(Source{Identity: strings.Repeat("x", i%1000) + "y"}, now)
		if n := len(r.young) + len(r.old); n > 100 {
			t.Fatalf("%d sources are remembered", n)
		}
	}
	if r.allow(Source{Identity: strings.Repeat("x", 999) + "y"}, now) {
		t.Error("a source that has just used its token got another one")
	}
}
