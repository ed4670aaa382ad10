package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tocsin/internal/program"
)

// authors measures acceptance with a connection per notice, 8 authors at once.
func (b *bench) authors() error {
	return b.accept("AcceptConnectionPerNotice/authors=8", authorLoad{authors: 8, duration: b.duration, series: "A"})
}

// kept measures acceptance on kept connections, 64 in flight in all: on one connection, and on eight.
func (b *bench) kept() error {
	if err := b.accept("AcceptKeptConnection/connections=1/in_flight=64", authorLoad{authors: 1, window: 64, duration: b.duration, series: "A"}); err != nil {
		return err
	}
	return b.accept("AcceptKeptConnection/connections=8/in_flight=64", authorLoad{authors: 8, window: 8, duration: b.duration, series: "A"})
}

// accept runs one author load against the do-nothing server and then against a broker.
func (b *bench) accept(name string, l authorLoad) error {
	ceiling, err := b.ceiling(l)
	if err != nil {
		return err
	}
	return b.withServer(func(s *program.Broker) error {
		l.port = s.Author
		cpu := s.CPU()
		r, err := l.run()
		if err != nil {
			return err
		}
		cpu = s.CPU() - cpu
		line(os.Stdout, name, r.count,
			figure{r.perSecond(), "notices/s"},
			figure{ceiling.perSecond(), "client_ceiling/s"},
			figure{millis(quantile(r.took, 0.5)), "p50-ms"},
			figure{millis(quantile(r.took, 0.99)), "p99-ms"},
			figure{float64(cpu.Microseconds()) / float64(r.count), "broker-cpu-us/notice"})
		return nil
	})
}

func (b *bench) ceiling(l authorLoad) (result, error) {
	n, err := newNothing()
	if err != nil {
		return result{}, err
	}
	defer n.close()
	_, port, err := ports(n)
	if err != nil {
		return result{}, err
	}
	l.port = port
	l.duration = min(l.duration, 4*time.Second)
	r, err := l.run()
	if err != nil {
		return result{}, fmt.Errorf("the client's own ceiling: %w", err)
	}
	return r, nil
}

// fanOut measures deliveries to 500 acknowledging subscribers while a second author goes on at 2,000 notices/s.
func (b *bench) fanOut() error {
	const subscriberCount = 500
	t := newTemplate("A0")

	n, err := newNothing()
	if err != nil {
		return err
	}
	feed, author, err := ports(n)
	if err != nil {
		return err
	}
	ceiling, _, err := b.fanOutOnce(feed, author, subscriberCount, t)
	n.close()
	if err != nil {
		return fmt.Errorf("the client's own ceiling: %w", err)
	}
	return b.withServer(func(s *program.Broker) error {
		cpu := s.CPU()
		delivered, accepted, err := b.fanOutOnce(s.Feed, s.Author, subscriberCount, t)
		if err != nil {
			return err
		}
		cpu = s.CPU() - cpu
		line(os.Stdout, fmt.Sprintf("FanOut/subscribers=%d", subscriberCount), delivered.count,
			figure{delivered.perSecond(), "deliveries/s"},
			figure{ceiling.perSecond(), "client_ceiling/s"},
			figure{accepted.perSecond(), "accepted_meanwhile/s"},
			figure{float64(cpu.Microseconds()) / float64(delivered.count), "broker-cpu-us/delivery"},
			figure{float64(s.Resident()) / (1 << 20), "broker-MiB"})
		return nil
	})
}

func (b *bench) fanOutOnce(feed, author, count int, t *template) (delivered, accepted result, err error) {
	subs, err := subscribe(feed, count, t)
	if err != nil {
		return delivered, accepted, err
	}
	// The first author fills the subscribers' queues before the measurement begins.
	first := authorLoad{port: author, authors: 1, window: 64, duration: time.Second, series: "A"}
	if _, err = first.run(); err != nil {
		return delivered, accepted, err
	}
	begin, had := time.Now(), subs.delivered.Load()
	second := authorLoad{port: author, authors: 1, window: 64, rate: 2000, duration: b.duration, series: "B"}
	if accepted, err = second.run(); err != nil {
		return delivered, accepted, err
	}
	delivered = result{count: int(subs.delivered.Load() - had), elapsed: time.Since(begin)}
	if err = subs.close(); err != nil {
		return delivered, accepted, err
	}
	if n := subs.disorder.Load(); n > 0 {
		err = fmt.Errorf("%d deliveries came out of order", n)
	}
	return delivered, accepted, err
}

// latency measures from the author's write to each subscriber's read at a low rate.
func (b *bench) latency() error {
	for _, count := range []int{1, 500} {
		n, err := newNothing()
		if err != nil {
			return err
		}
		feed, author, err := ports(n)
		if err != nil {
			return err
		}
		ceiling, err := b.latencyOnce(feed, author, count)
		n.close()
		if err != nil {
			return fmt.Errorf("the client's own ceiling: %w", err)
		}
		err = b.withServer(func(s *program.Broker) error {
			ages, err := b.latencyOnce(s.Feed, s.Author, count)
			if err != nil {
				return err
			}
			line(os.Stdout, fmt.Sprintf("Latency/rate=10/subscribers=%d", count), len(ages),
				figure{millis(quantile(ages, 0.5)), "p50-ms"},
				figure{millis(quantile(ages, 0.99)), "p99-ms"},
				figure{millis(quantile(ages, 1)), "max-ms"},
				figure{millis(quantile(ceiling, 0.5)), "client_p50-ms"},
				figure{millis(quantile(ceiling, 0.99)), "client_p99-ms"})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) latencyOnce(feed, author, count int) ([]time.Duration, error) {
	subs, err := subscribe(feed, count, newTemplate("A0"))
	if err != nil {
		return nil, err
	}
	warm := authorLoad{port: author, authors: 1, window: 1, rate: 10, duration: time.Second, series: "A"}
	if _, err := warm.run(); err != nil {
		return nil, err
	}
	subs.latencies.Store(true)
	l := authorLoad{port: author, authors: 1, window: 1, rate: 10, duration: max(b.duration, 20*time.Second), series: "B"}
	r, err := l.run()
	if err != nil {
		return nil, err
	}
	if err := settle(func() bool { return int(subs.delivered.Load()) >= count*r.count }); err != nil {
		return nil, fmt.Errorf("%d of %d deliveries came: %w", subs.delivered.Load(), count*r.count, err)
	}
	if err := subs.close(); err != nil {
		return nil, err
	}
	if n := subs.disorder.Load(); n > 0 {
		return nil, fmt.Errorf("%d deliveries came out of order", n)
	}
	return subs.ages, nil
}

// idle measures what 5,000 connected subscribers cost the broker that receive nothing.
func (b *bench) idle() error {
	const subscriberCount = 5000
	return b.withServer(func(s *program.Broker) error {
		before := s.Resident()
		subs, err := subscribe(s.Feed, subscriberCount, newTemplate("A0"))
		if err != nil {
			return err
		}
		if err := settle(func() bool { return subs.greeted.Load() >= subscriberCount }); err != nil {
			return fmt.Errorf("%d of %d subscribers were greeted: %w", subs.greeted.Load(), subscriberCount, err)
		}
		connected := s.Resident()
		// One notice to all, so that whatever grows with the first delivery has grown.
		one := authorLoad{port: s.Author, authors: 1, window: 1, rate: 1, duration: 500 * time.Millisecond, series: "A"}
		r, err := one.run()
		if err != nil {
			return err
		}
		if err := settle(func() bool { return int(subs.delivered.Load()) >= subscriberCount*r.count }); err != nil {
			return err
		}
		after := s.Resident()
		if err := subs.close(); err != nil {
			return err
		}
		line(os.Stdout, fmt.Sprintf("Idle/subscribers=%d", subscriberCount), subscriberCount,
			figure{float64(connected-before) / subscriberCount / 1000, "connected-KB/subscriber"},
			figure{float64(after-before) / subscriberCount / 1000, "after_delivery-KB/subscriber"},
			figure{float64(before) / (1 << 20), "broker_before-MiB"})
		return nil
	})
}

// start measures from the start of the process until it is ready, on a large journal.
func (b *bench) start() error {
	data, err := os.MkdirTemp("", "tocsin-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	if err := fillJournal(filepath.Join(data, "journal.db"), b.notices); err != nil {
		return err
	}
	for range 3 {
		s, err := program.Start(program.Options{Path: b.program, Data: data})
		if err != nil {
			return err
		}
		memory := s.Resident()
		if err := s.Stop(); err != nil {
			return err
		}
		line(os.Stdout, fmt.Sprintf("Start/notices=%d", b.notices), 1,
			figure{s.Ready.Seconds(), "s"}, figure{float64(memory) / (1 << 20), "broker-MiB"})
	}
	return nil
}
