package broker

import "tocsin/voevent"

// Policy says who may publish what.
type Policy interface {
	// MayPublish returns nil, or an error whose text tells the author why not
	// and whom to ask; the broker makes it an *Error of kind Forbidden.
	MayPublish(s Source, stream string, r voevent.Role) error
}
