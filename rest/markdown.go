package rest

import (
	"html"
	"regexp"
	"strconv"
	"strings"
)

// title is the first heading of a page, or else its first line.
func title(md string) string {
	first := ""
	for line := range strings.Lines(md) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			return strings.ReplaceAll(strings.TrimSpace(strings.TrimLeft(line, "#")), "`", "")
		}
		if first == "" {
			first = line
		}
	}
	return first
}

// markdown turns the small part of Markdown that our own pages use into HTML: headings, paragraphs, lists with -,
// code blocks (fenced, or indented by four blanks), `code` and **strong**. Everything else is text; all of it is escaped.
func markdown(md string) string {
	w := &page{}
	fenced := false
	for line := range strings.Lines(strings.ReplaceAll(md, "\r\n", "\n")) {
		line = strings.TrimRight(line, "\n")
		bare := strings.TrimSpace(line)
		level := len(line) - len(strings.TrimLeft(line, "#"))
		switch {
		case strings.HasPrefix(bare, "```"):
			w.end()
			fenced = !fenced
		case fenced:
			w.add("pre", line, "\n")
		case bare == "" && w.kind == "pre":
			w.add("pre", "", "\n")
		case bare == "":
			w.end()
		case w.kind != "li" && strings.HasPrefix(line, "    "):
			w.add("pre", line[4:], "\n")
		case level > 0 && level <= 6 && strings.HasPrefix(line[level:], " "):
			w.end()
			w.add("h"+strconv.Itoa(level), strings.TrimSpace(line[level:]), " ")
			w.end()
		case strings.HasPrefix(bare, "- "):
			w.flush()
			w.add("li", bare[2:], " ")
		case w.kind == "li":
			w.add("li", bare, " ")
		default:
			w.add("p", bare, " ")
		}
	}
	w.end()
	return w.out.String()
}

// page collects the lines of one block and writes it when the next one begins.
type page struct {
	out    strings.Builder
	kind   string // the element of the block being collected; empty for none
	text   strings.Builder
	inList bool
}

func (p *page) add(kind, line, between string) {
	if p.kind != kind {
		p.flush()
		if kind != "li" {
			p.closeList()
		}
		p.kind = kind
	} else {
		p.text.WriteString(between)
	}
	p.text.WriteString(line)
}

// flush writes the block that was collected; a list stays open for its next item.
func (p *page) flush() {
	if p.kind == "" {
		return
	}
	body := html.EscapeString(strings.TrimRight(p.text.String(), "\n"))
	if p.kind != "pre" {
		body = inline(body)
	}
	if p.kind == "li" && !p.inList {
		p.out.WriteString("<ul>\n")
		p.inList = true
	}
	p.out.WriteString("<" + p.kind + ">" + body + "</" + p.kind + ">\n")
	p.kind = ""
	p.text.Reset()
}

func (p *page) closeList() {
	if p.inList {
		p.out.WriteString("</ul>\n")
		p.inList = false
	}
}

func (p *page) end() {
	p.flush()
	p.closeList()
}

// inline marks what stands between two backquotes as code and between two pairs of asterisks as strong, in text that is
// escaped already.
func inline(s string) string {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 { // a backquote stands alone
		parts = []string{s}
	}
	var b strings.Builder
	for i, part := range parts {
		if i%2 == 1 {
			b.WriteString("<code>" + part + "</code>")
			continue
		}
		b.WriteString(bold.ReplaceAllString(part, "<strong>$1</strong>"))
	}
	return b.String()
}

var bold = regexp.MustCompile(`\*\*([^*]+)\*\*`)
