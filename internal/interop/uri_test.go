//go:build interop

package interop

import (
	"math/rand/v2"
	"strings"
	"testing"

	"tocsin/schemas"
)

// URIs, numbers and times are where two validators differ most, so they are tried on many odd literals.
func TestOddLiteralsHaveTheVerdictsOfThePublishedSchemas(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 2396))
	literal := func(pieces []string) string {
		var b strings.Builder
		for range 1 + rng.IntN(5) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		return b.String()
	}
	uris := strings.Split("http: ivo: // / ? # [ ] @ : :80 :8x a b.c %20 %2 % é { } | \\ ^ ` &lt; &gt; &quot; &amp; = + , ; ! $ ' ( ) * ~ _ - . .. [::1] 1 x-y: 9: ☃", " ")
	uris = append(uris, " ")
	numbers := strings.Split("0 1 9 . + - e E INF NaN 5 00 _ ,", " ")
	times := strings.Split("2024-01-12T09:03:04 2024-02-29T23:59:59 2023-02-29T00:00:00 24:00:00 T - : . .0 .123456789012345678901 Z +01:00 -14:00 +14:01 -00:00 1 0 9999 10000-01-01T00:00:00 2000-13-01T00:00:00 1900-02-29T00:00:00", " ")
	var docs []document
	for i := range 9000 {
		var body, value string
		switch i % 3 {
		case 0:
			value = literal(uris)
			body = `<What><Reference uri="` + value + `"/></What>`
		case 1:
			value = literal(numbers)
			body = `<Why importance="` + value + `"><Name/></Why>`
		default:
			value = literal(times)
			body = `<Who><Date>` + value + `</Date></Who>`
		}
		docs = append(docs, document{
			name: value, schema: schemas.VOEvent20,
			text: []byte(`<v:VOEvent xmlns:v="` + schemas.VOEvent20NS + `" version="2.0" ivorn="ivo://org.example/odd#1">` + body + `</v:VOEvent>`),
		})
	}
	compare(t, docs)
}
