// Package rest is Tocsin's HTTP side. For now it answers operators: /metrics, /healthz, /readyz, and the pages that
// explain the findings of a check (/findings). It knows neither the broker nor the journal: Options carries the few
// functions it needs.
package rest

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// Options is what a Handler needs. The zero value answers /healthz and /findings; /metrics and /readyz then say that
// they have nothing to tell.
type Options struct {
	// Metrics answers GET /metrics; nil answers 404.
	Metrics http.Handler
	// Ready says why the program cannot do its work now; nil means that it can. It must not block for long: it is
	// called with a deadline of two seconds. A nil function counts as ready.
	Ready func(context.Context) error
	// Page returns the page about the finding with that code, in Markdown: headings, paragraphs, lists, code. It is
	// escaped before it becomes HTML.
	Page func(code string) (string, bool)
	// Codes lists the findings that have a page, in the order in which they are to be shown.
	Codes []string
	// Version is shown on the index page.
	Version string
	// Logger receives what goes wrong while answering; nil discards it.
	Logger *slog.Logger
}

// NewHandler returns the routes of the HTTP side.
func NewHandler(o Options) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &handler{o: o}
	r := chi.NewRouter()
	r.Use(h.recover, harden)
	r.Get("/", h.index)
	r.Get("/healthz", h.health)
	r.Get("/readyz", h.ready)
	r.Get("/findings", h.findings)
	r.Get("/findings/{code}", h.finding)
	if o.Metrics != nil {
		r.Method(http.MethodGet, "/metrics", o.Metrics)
	}
	return r
}

// NewServer returns an HTTP server with the limits that a server open to strangers needs: a client has ten seconds
// for its headers and thirty for the whole request, sixty for reading the answer, and 64 KiB of headers.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	if log != nil {
		s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	}
	return s
}
