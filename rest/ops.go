package rest

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// readyTimeout bounds how long a question for readiness may take: an answer that comes later is no answer for a load
// balancer.
const readyTimeout = 2 * time.Second

type handler struct{ o Options }

// health says that the process is alive and answers; it asks nobody else, so that a full disk does not make a
// supervisor kill the process.
func (h *handler) health(w http.ResponseWriter, _ *http.Request) {
	text(w, http.StatusOK, "ok\n")
}

// ready says whether the program can take notices now, and if not why.
func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	if h.o.Ready != nil {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := h.o.Ready(ctx); err != nil {
			text(w, http.StatusServiceUnavailable, fmt.Sprintf("not ready: %v\n", err))
			return
		}
	}
	text(w, http.StatusOK, "ready\n")
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	// An error here means that the client went away: nobody is left to be told.
	_, _ = w.Write([]byte(body))
}

// wantsText says whether the client asked for plain text, as curl -H 'Accept: text/plain' and ?format=text do.
func wantsText(r *http.Request) bool {
	if r.URL.Query().Get("format") == "text" {
		return true
	}
	a := r.Header.Get("Accept")
	return strings.HasPrefix(a, "text/plain")
}

// harden sets the headers that keep a browser from doing more with a page than showing it.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// recover answers 500 when a handler panics, so that one bad request ends itself and nothing else.
func (h *handler) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares this value by identity.
				panic(p)
			}
			h.o.Logger.Error("panic while answering a request", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			text(w, http.StatusInternalServerError, "internal error\n")
		}()
		next.ServeHTTP(w, r)
	})
}
