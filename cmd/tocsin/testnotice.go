package main

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// testNotice writes a notice of role test: what Comet's hourly test events are, so that a subscriber sees that it
// receives. Two of one millisecond differ by their random part.
func testNotice(author, text string, now time.Time) []byte {
	now = now.UTC()
	if text == "" {
		text = "A test notice sent by hand with tocsin send --test. Nothing has happened."
	}
	var b strings.Builder
	local := "TestEvent-" + now.Format("2006-01-02T15:04:05.000Z") + "-" + rand.Text()[:6]
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?>
<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.ivoa.net/xml/VOEvent/v2.0 http://www.ivoa.net/xml/VOEvent/VOEvent-v2.0.xsd" version="2.0" role="test" ivorn="%s">
  <Who>
    <AuthorIVORN>%s</AuthorIVORN>
    <Date>%s</Date>
    <Author><title>Tocsin</title></Author>
  </Who>
  <What>
    <Description>%s</Description>
  </What>
</voe:VOEvent>
`, escape(author+"#"+local), escape(author), now.Format("2006-01-02T15:04:05"), escape(text))
	return []byte(b.String())
}

func escape(s string) string {
	var b strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// testAuthor publishes a test notice every interval until ctx ends.
func testAuthor(ctx context.Context, author string, every time.Duration, publish func(context.Context, []byte) error, log *slog.Logger) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			text := "A test notice that this broker sends every " + every.String() + ". Nothing has happened."
			if err := publish(ctx, testNotice(author, text, now)); err != nil && ctx.Err() == nil {
				log.Warn("test notice not published", "error", err)
			}
		}
	}
}
