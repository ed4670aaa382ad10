package vtp

import "testing"

// What a feed holds back leaves when the subscriber was heard: the question that makes it speak comes behind the
// greeting, so its wishes are known by then.
func TestWhatIsHeldBackLeavesWhenTheSubscriberWasHeard(t *testing.T) {
	for name, c := range map[string]struct {
		greets  bool
		answers func(w *wire)
		wishes  int
	}{
		"pygcn answers the iamalive only": {true, func(w *wire) {
			w.transport(Transport{Role: RoleAlive, Origin: brokerName})
		}, 0},
		"Comet answers the greeting first": {true, func(w *wire) {
			w.transport(Transport{Role: RoleAuthenticate, Origin: brokerName, Filters: []string{"//a"}})
			w.transport(Transport{Role: RoleAlive, Origin: brokerName})
		}, 1},
		"GCN's client acknowledges the greeting": {true, func(w *wire) {
			w.transport(ack(brokerName))
			w.transport(Transport{Role: RoleAlive})
		}, 0},
		"a listener that does not greet": {false, func(w *wire) {
			w.transport(Transport{Role: RoleAlive, Origin: brokerName})
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var q quiet
			st := newStage()
			st.held = true
			s := newFeedServer(st, &q)
			s.SendAuthenticate = c.greets
			w := dialWire(t, serve(t, s))
			a := got(t, st.followers, "follower")
			a.batches <- notices(1, "a")
			if c.greets {
				w.expect(RoleAuthenticate)
			}
			w.expect(RoleAlive)
			c.answers(w)
			w.expectNotice("a")
			if len(a.wishes) != c.wishes {
				t.Errorf("%d wishes came before the notice, not %d", len(a.wishes), c.wishes)
			}
			w.transport(ack(nameOf("a")))
			if id := got(t, a.acked, "ack"); id != 1 {
				t.Errorf("%d was settled", id)
			}
		})
	}
}
