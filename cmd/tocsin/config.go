package main

import (
	"net/url"
	"path/filepath"
)

// Config is everything an operator can set. The doc tags are the manual: `tocsin serve --print-config` prints them
// above every field. Fields named _s are seconds, _bytes bytes.
type Config struct {
	Data            string     `yaml:"data" doc:"Folder of the journal, the admin socket and addresses.json. Made when it is missing, readable by its owner only."`
	LocalIVORN      string     `yaml:"local_ivorn" doc:"IVOA identifier of this broker: the Origin of its keep-alives and the stream of its own test notices. Empty: ivo://HOSTNAME/tocsin."`
	Log             Log        `yaml:"log" doc:"What is logged to standard error, and how."`
	Listeners       []Listener `yaml:"listeners" doc:"Where the broker listens. Everything beyond loopback needs TLS (vtps-author://, vtps-feed://, https://) or must say that it has none (vtp-author+insecure://, ...). Unix sockets: vtp-author+unix:///path, vtp-feed+unix:///path, http+unix:///path. Port 0 takes a free port; addresses.json tells which."`
	Upstreams       []Upstream `yaml:"upstreams" doc:"Remote brokers to subscribe to. What they send is relayed to this broker's own subscribers; notices that break the standard are flagged, not refused. Each entry: uri (vtp://HOST:PORT or vtps://HOST:PORT), filters (XPath expressions asked of the remote), since_s (ask for what the last since_s seconds brought, where the remote is a Tocsin), tls."`
	Policy          Policy     `yaml:"policy" doc:"Who may publish what."`
	Limits          Limits     `yaml:"limits" doc:"Limits that protect the broker from its peers. Every one has a default."`
	Journal         Journal    `yaml:"journal" doc:"How long notices and receipts are kept. The oldest go first; the newest notice always stays."`
	TestInterval    int        `yaml:"test_interval_s" doc:"Every so many seconds the broker publishes a notice of role test under local_ivorn, so that subscribers see that they receive. 0: never. Comet's default was 3600."`
	ShutdownTimeout int        `yaml:"shutdown_timeout_s" doc:"After the first SIGINT or SIGTERM what is in flight may take so many seconds to finish. A second signal ends at once."`
}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level" doc:"debug, info, warn or error."`
	Format string `yaml:"format" doc:"text or json."`
}

// Listener is one address on which the broker listens, with its own limits and rules. Fields that are zero have the
// defaults that their doc names.
type Listener struct {
	URI               string   `yaml:"uri" doc:"vtp-author://HOST:PORT, vtp-feed://HOST:PORT, http://HOST:PORT and the forms above. Options may also be given as query parameters: vtp-author://127.0.0.1:8098?mode=relay&allow=127.0.0.0/8."`
	Name              string   `yaml:"name,omitempty" doc:"Its name in logs, metrics and status. Default: author, feed or http, then author2 ..."`
	Mode              string   `yaml:"mode,omitempty" doc:"Author listeners: submit refuses invalid notices (default), relay accepts them with a flag, as for traffic from another broker."`
	Allow             []string `yaml:"allow,omitempty" doc:"Networks (10.1.0.0/16, 2001:db8::/32) or addresses whose peers may connect. Empty: all. Others are closed without a word, as VTP 2.0 says. Unix sockets are not restricted: their file's permissions are."`
	Authenticate      *bool    `yaml:"authenticate,omitempty" doc:"Feed listeners: send an authenticate message on connect, as Comet does (default true). Set false for old C clients, which take it for a notice."`
	TLS               *TLS     `yaml:"tls,omitempty" doc:"Certificate of a TLS listener. Reloaded when the files change."`
	MaxFrameBytes     int      `yaml:"max_frame_bytes,omitempty" doc:"Greatest frame accepted. Default: limits.notice_bytes."`
	FirstFrameTimeout int      `yaml:"first_frame_timeout_s,omitempty" doc:"A new author has so long to send its first frame. Default 20."`
	FrameTimeout      int      `yaml:"frame_timeout_s,omitempty" doc:"A frame that has begun must be complete after so long. Default 20."`
	IdleTimeout       int      `yaml:"idle_timeout_s,omitempty" doc:"An author connection without a frame for so long is closed. Default 90."`
	MaxConns          int      `yaml:"max_connections,omitempty" doc:"Greatest number of connections at once; more are closed at once. Default 1024 for authors, 10000 for feeds, 256 for HTTP."`
	MaxConnsPerHost   int      `yaml:"max_connections_per_address,omitempty" doc:"Greatest number of connections from one address of the network. Loopback and Unix sockets are exempt. Default: a quarter of max_connections."`
	MaxPending        int      `yaml:"max_pending,omitempty" doc:"Author listeners: notices that one connection may have in flight before it is read on. Default 256."`
	KeepAlive         int      `yaml:"keepalive_s,omitempty" doc:"Feed listeners: an iamalive goes to a subscriber after so many seconds without traffic. Default 60."`
	AckTimeout        int      `yaml:"ack_timeout_s,omitempty" doc:"Feed listeners: a subscriber whose oldest unacknowledged notice is so old is disconnected; what it did not acknowledge waits for it when its subscription is durable, or for resume_s. Default 60."`
	Resume            *int     `yaml:"resume_s,omitempty" doc:"Feed listeners: a subscriber that cannot name a subscription (pygcn, Comet, GCN's C client) and comes back within so many seconds goes on where it ended, also after a restart of the broker. The place belongs to the identity of its certificate, or else to its address; of several connections from one address the first has it, the others begin live. 0: all begin live. Default 1200."`
}

// TLS names the files of a certificate. They are read again when they change.
type TLS struct {
	Cert     string `yaml:"cert_file,omitempty" doc:"PEM file with the certificate and its chain."`
	Key      string `yaml:"key_file,omitempty" doc:"PEM file with the private key."`
	ClientCA string `yaml:"client_ca_file,omitempty" doc:"PEM file with the authorities whose client certificates are demanded. The certificate's URI, or else its common name, becomes the identity that policy rules name. For upstreams: the authorities of the remote."`
}

// Upstream is a remote broker that this one subscribes to.
type Upstream struct {
	URI     string   `yaml:"uri" doc:"vtp://HOST:PORT or vtps://HOST:PORT; port 8099 when left out."`
	Name    string   `yaml:"name,omitempty" doc:"Its name in logs and status. Default: the host."`
	Filters []string `yaml:"filters,omitempty" doc:"XPath expressions sent to the remote (Comet's xpath-filter); a notice that matches one of them comes."`
	Since   int      `yaml:"since_s,omitempty" doc:"On every connect ask for what came in the last so many seconds. Only a Tocsin answers; duplicates are dropped."`
	TLS     *TLS     `yaml:"tls,omitempty" doc:"Client certificate and authorities."`
}

// Policy says who may publish to which streams.
type Policy struct {
	Default         string `yaml:"default" doc:"What happens to a notice that no rule speaks of. local: peers on this machine, peers with a client certificate, peers that a listener's allow-list admitted, and upstreams may publish anything. allow: everybody may. deny: nobody may."`
	RefuseSameIVORN bool   `yaml:"refuse_same_ivorn" doc:"Refuse a notice whose IVORN another kept notice has with other bytes. Otherwise it is accepted and flagged, as VTP 2.0 asks: one notice may come in two versions of VOEvent."`
	Rules           []Rule `yaml:"rules" doc:"The first rule that fits decides. Each entry: action (allow or deny), and what it applies to: identities, listeners, networks, streams, roles, upstream. All that are given must fit. reason: what a refused author is told."`
	Contact         string `yaml:"contact" doc:"Whom a refused author is told to ask, such as a mail address."`
}

// Rule is one line of the policy.
type Rule struct {
	Action     string   `yaml:"action" doc:"allow or deny."`
	Identities []string `yaml:"identities,omitempty" doc:"Names from client certificates (the URI, or else the common name), such as spiffe://observatory.example/telescope1; * stands for any characters. An empty name stands for peers without a certificate."`
	Listeners  []string `yaml:"listeners,omitempty" doc:"Names of listeners or upstreams; * stands for any characters."`
	Networks   []string `yaml:"networks,omitempty" doc:"Networks or addresses of the peer; unix for Unix sockets."`
	Streams    []string `yaml:"streams,omitempty" doc:"Streams such as nasa.gsfc.gcn/SWIFT or org.example/**. * stands for any characters between two slashes, ** for any characters. Case does not matter."`
	Upstream   *bool    `yaml:"upstream,omitempty" doc:"true: only what upstreams send; false: only what authors send."`
	Roles      []string `yaml:"roles,omitempty" doc:"observation, prediction, utility or test."`
	Reason     string   `yaml:"reason,omitempty" doc:"What an author is told whom this rule refuses."`
}

// Limits protect the broker from its peers.
type Limits struct {
	NoticeBytes   int     `yaml:"notice_bytes" doc:"Greatest notice. The longest of a million archived ones has 7,980 bytes."`
	Depth         int     `yaml:"depth" doc:"Greatest depth of nested elements."`
	Nodes         int     `yaml:"nodes" doc:"Greatest number of elements and texts in a notice."`
	Window        int     `yaml:"window" doc:"Notices on their way to one subscriber that it has not acknowledged yet."`
	CacheBytes    int64   `yaml:"cache_bytes" doc:"Memory for recent notices, parsed once and shared by all subscribers."`
	RatePerSecond float64 `yaml:"rate_per_second" doc:"Notices that one source (its identity, or else its address) may submit a second; above it connections are closed without an answer, which means: try again later. 0: no limit."`
	RateBurst     int     `yaml:"rate_burst" doc:"Notices of one source that may come at once. 0: as many as in one second."`
	Durable       int     `yaml:"durable_subscriptions" doc:"Greatest number of durable subscriptions (tocsin listen --resume NAME), and of places kept for subscribers that cannot name one (resume_s)."`
	ReceiptMillis int     `yaml:"receipt_interval_ms" doc:"Receipts and cursors are written together this often."`
}

// Journal says how long notices are kept.
type Journal struct {
	MaxAgeDays float64 `yaml:"max_age_days" doc:"Notices older than this are removed. 0: age does not matter."`
	MaxBytes   int64   `yaml:"max_bytes" doc:"The journal's notices take at most so many bytes. 0: size does not matter."`
}

// defaultConfig is what a broker without a configuration file does: everything on loopback.
func defaultConfig() Config {
	return Config{
		Data: "data",
		Log:  Log{Level: "info", Format: "text"},
		Listeners: []Listener{
			{URI: "vtp-author://127.0.0.1:8098"},
			{URI: "vtp-feed://127.0.0.1:8099"},
			{URI: "http://127.0.0.1:8080"},
		},
		Policy: Policy{Default: "local"},
		Limits: Limits{
			NoticeBytes: 1 << 20, Depth: 32, Nodes: 50_000,
			Window: 256, CacheBytes: 64 << 20, Durable: 10_000, ReceiptMillis: 50,
		},
		Journal:         Journal{MaxAgeDays: 30, MaxBytes: 20 << 30},
		ShutdownTimeout: 10,
	}
}

// The files of the data folder.
func (c *Config) journalPath() string   { return filepath.Join(c.Data, "journal.db") }
func (c *Config) socketPath() string    { return filepath.Join(c.Data, "admin.sock") }
func (c *Config) addressesPath() string { return filepath.Join(c.Data, "addresses.json") }

// listenKind is what a listener speaks.
type listenKind string

const (
	kindAuthor listenKind = "author"
	kindFeed   listenKind = "feed"
	kindHTTP   listenKind = "http"
)

// address is a listener's URI, taken apart.
type address struct {
	kind     listenKind
	network  string // tcp or unix
	host     string // host:port, or the socket's path
	tls      bool
	insecure bool // the URI says that it knows there is no TLS
	query    url.Values
}

// uri gives the address as a URI again, with the host that was really bound.
func (a address) uri(host string) string {
	scheme := map[listenKind]string{kindAuthor: "vtp-author", kindFeed: "vtp-feed", kindHTTP: "http"}[a.kind]
	if a.tls {
		scheme = map[listenKind]string{kindAuthor: "vtps-author", kindFeed: "vtps-feed", kindHTTP: "https"}[a.kind]
	}
	if a.network == "unix" {
		return scheme + "+unix://" + host
	}
	return scheme + "://" + host
}
