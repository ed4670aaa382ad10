package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"tocsin/broker"
	"tocsin/journal"
	"tocsin/vtp"
)

// report is what `tocsin status --json` prints.
type report struct {
	Version    string          `json:"version"`
	PID        int             `json:"pid"`
	LocalIVORN string          `json:"local_ivorn"`
	Data       string          `json:"data"`
	Listeners  []listenAddress `json:"listeners"`
	// Connections counts those that are open, by listener or upstream.
	Connections map[string]int     `json:"connections"`
	Ready       string             `json:"ready"` // "yes", or why not
	Upstreams   []vtp.RemoteStatus `json:"upstreams"`
	broker.Status
}

// admin answers other tocsin commands over the socket in the data folder, which only the owner of the folder can open.
type admin struct {
	log    journal.Log
	report func(context.Context) report
}

func (a admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", a.status)
	mux.HandleFunc("GET /replay", a.replay)
	// What the program is doing, for those who ask why it is slow: go tool pprof reads it through the socket.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func (a admin) status(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// An error means that the command has gone away.
	_ = json.NewEncoder(w).Encode(a.report(r.Context()))
}

// replay streams the asked-for part of the journal as JSON lines. The last line holds "end": a client that does not
// see it knows that the stream was cut.
func (a admin) replay(w http.ResponseWriter, r *http.Request) {
	part, err := parsePart(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	bw := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(bw)
	enc.SetEscapeHTML(false)
	end := replayLine{}
	if err := readJournal(r.Context(), a.log, part, func(rec journal.Record) error { return enc.Encode(newReplayLine(rec)) }); err != nil {
		end.Error = err.Error()
	}
	end.End = true
	_ = enc.Encode(end)
	_ = bw.Flush()
}

// errNoServer says that no broker runs on the data folder.
var errNoServer = errors.New("no broker runs there")

// adminClient gives an HTTP client for the admin socket of the broker that runs on a data folder.
func adminClient(data string) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", filepath.Join(data, "admin.sock"))
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// askAdmin sends one question to the broker on a data folder. The caller closes the body.
func askAdmin(ctx context.Context, data, path string, q url.Values) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://admin"+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := adminClient(data).Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%s: %w", data, errNoServer)
	case err != nil:
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the broker on %s answers %s: %s", data, resp.Status, printable(string(text), 500))
	}
	return resp.Body, nil
}

// part says which notices of a journal are meant.
type part struct {
	from, to time.Time   // received from then on, and before then; zero: no bound
	after    journal.Seq // and later than this one
	limit    int         // 0: no bound
}

func (p part) query() url.Values {
	q := url.Values{}
	if !p.from.IsZero() {
		q.Set("from", p.from.Format(time.RFC3339Nano))
	}
	if !p.to.IsZero() {
		q.Set("to", p.to.Format(time.RFC3339Nano))
	}
	if p.after > 0 {
		q.Set("after", strconv.FormatUint(uint64(p.after), 10))
	}
	if p.limit > 0 {
		q.Set("limit", strconv.Itoa(p.limit))
	}
	return q
}

func parsePart(q url.Values) (part, error) {
	var p part
	var err error
	read := func(name string, fn func(string) error) {
		if s := q.Get(name); s != "" && err == nil {
			if e := fn(s); e != nil {
				err = fmt.Errorf("%s: %w", name, e)
			}
		}
	}
	read("from", func(s string) (e error) { p.from, e = time.Parse(time.RFC3339Nano, s); return e })
	read("to", func(s string) (e error) { p.to, e = time.Parse(time.RFC3339Nano, s); return e })
	read("after", func(s string) error {
		n, e := strconv.ParseUint(s, 10, 64)
		p.after = journal.Seq(n)
		return e
	})
	read("limit", func(s string) (e error) { p.limit, e = strconv.Atoi(s); return e })
	return p, err
}

// readJournal calls fn for the notices of a part, in order, until the last one that was there when it began.
func readJournal(ctx context.Context, log journal.Log, p part, fn func(journal.Record) error) error {
	after := p.after
	if !p.from.IsZero() {
		seq, err := log.SeekTime(ctx, p.from)
		if err != nil {
			return err
		}
		after = max(after, seq)
	}
	_, last := log.Bounds()
	batch := make([]journal.Record, 64)
	for given := 0; after < last; {
		n, err := log.Read(ctx, after, batch)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		for _, r := range batch[:n] {
			after = r.Seq
			// Clocks step back: a notice outside the times may lie between two inside them.
			if r.Seq > last || r.Received.Before(p.from) || (!p.to.IsZero() && !r.Received.Before(p.to)) {
				continue
			}
			if err := fn(r); err != nil {
				return err
			}
			if given++; given == p.limit {
				return nil
			}
		}
		clear(batch)
	}
	return nil
}
