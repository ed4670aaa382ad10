package rest

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

const head = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}} - Tocsin</title>
<style>body{font:16px/1.5 sans-serif;max-width:44em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
code,pre{background:#f2f2f2;padding:.1em .3em;border-radius:3px}pre{padding:.6em;overflow-x:auto}a{color:#0b57a4}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#181818}code,pre{background:#2a2a2a}a{color:#8ab8f0}}</style>
</head><body>
`

var (
	indexPage = template.Must(template.New("index").Parse(head + `<h1>Tocsin</h1>
<p>An alert broker for observatories{{with .Version}}, version {{.}}{{end}}. This port answers:</p>
<ul>
<li><a href="/healthz">/healthz</a>: the process is alive</li>
<li><a href="/readyz">/readyz</a>: notices can be taken now; if not, why</li>
<li><a href="/metrics">/metrics</a>: figures for Prometheus</li>
<li><a href="/findings">/findings</a>: what each finding about a notice means and what to do about it</li>
</ul>
</body></html>
`))
	listPage = template.Must(template.New("list").Parse(head + `<h1>Findings</h1>
<p>What Tocsin can find wrong with a notice. <code>tocsin validate FILE</code> checks one,
<code>tocsin explain CODE</code> prints these pages.</p>
<ul>
{{range .Pages}}<li><a href="/findings/{{.Code}}"><code>{{.Code}}</code></a>: {{.Title}}</li>
{{end}}</ul>
</body></html>
`))
	findingPage = template.Must(template.New("finding").Parse(head + `{{.Body}}<p><a href="/findings">All findings</a></p>
</body></html>
`))
)

type entry struct{ Code, Title string }

func (h *handler) index(w http.ResponseWriter, _ *http.Request) {
	h.page(w, http.StatusOK, indexPage, map[string]any{"Title": "Ports and pages", "Version": h.o.Version})
}

func (h *handler) findings(w http.ResponseWriter, r *http.Request) {
	var pages []entry
	for _, code := range h.o.Codes {
		if body, ok := h.lookup(code); ok {
			pages = append(pages, entry{Code: code, Title: title(body)})
		}
	}
	if wantsText(r) {
		var b strings.Builder
		for _, p := range pages {
			b.WriteString(p.Code + "\t" + p.Title + "\n")
		}
		text(w, http.StatusOK, b.String())
		return
	}
	h.page(w, http.StatusOK, listPage, map[string]any{"Title": "Findings", "Pages": pages})
}

func (h *handler) finding(w http.ResponseWriter, r *http.Request) {
	body, ok := h.lookup(chi.URLParam(r, "code"))
	if !ok {
		text(w, http.StatusNotFound, "there is no finding with this code; /findings lists them\n")
		return
	}
	if wantsText(r) {
		text(w, http.StatusOK, strings.TrimSpace(body)+"\n")
		return
	}
	//nolint:gosec // markdown escapes everything that it did not write itself.
	h.page(w, http.StatusOK, findingPage, map[string]any{"Title": title(body), "Body": template.HTML(markdown(body))})
}

func (h *handler) lookup(code string) (string, bool) {
	if h.o.Page == nil {
		return "", false
	}
	return h.o.Page(code)
}

// page renders into memory first, so that a template that fails half-way answers 500 and not half a page.
func (h *handler) page(w http.ResponseWriter, status int, t *template.Template, data map[string]any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		h.o.Logger.Error("page not rendered", "page", t.Name(), "error", err)
		text(w, http.StatusInternalServerError, "internal error\n")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
