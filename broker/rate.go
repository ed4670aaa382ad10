package broker

// RateLimit bounds the submissions of each source (its identity, or else its
// address without the port). Above it submissions are refused as Busy with
// reason rate.
type RateLimit struct {
	// PerSecond is the sustained rate; no limit when zero.
	PerSecond float64 `yaml:"per_second" json:"per_second"`
	// Burst is how many may come at once; one second's worth when zero.
	Burst int `yaml:"burst" json:"burst"`
	// Sources bounds how many sources are remembered, 16,384 when zero.
	Sources int `yaml:"sources" json:"sources"`
}
