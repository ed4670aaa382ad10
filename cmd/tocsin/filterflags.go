package main

import (
	"fmt"

	"tocsin/broker/filter"
)

// filterFlags choose notices, in the same words for every command that has them.
type filterFlags struct {
	Stream     []string `help:"Only these streams, such as 'nasa.gsfc.gcn/SWIFT' or 'nasa.gsfc.gcn/*'." placeholder:"GLOB" sep:"none"`
	Role       []string `help:"Only these roles: observation, prediction, utility, test." placeholder:"ROLE"`
	Cone       []string `help:"Only notices whose position, with its error, touches this circle: 74.74,25.31,5 or 04h58m57.9s,+25d18m49s,30'." placeholder:"RA,DEC,R" sep:"none"`
	Importance *float64 `help:"Only notices of at least this importance (0 to 1)." placeholder:"N"`
	CEL        string   `name:"cel" help:"Only notices for which this expression of the Common Expression Language is true." placeholder:"EXPR"`
	Filter     []string `help:"Only notices that match this XPath expression; of several one is enough. A broker that knows filters gets them too." placeholder:"XPATH" sep:"none"`
}

func (f filterFlags) spec() (filter.Spec, error) {
	s := filter.Spec{Streams: f.Stream, Roles: f.Role, MinImportance: f.Importance, CEL: f.CEL, XPath: f.Filter}
	for _, c := range f.Cone {
		cone, err := filter.ParseCone(c)
		if err != nil {
			return s, fmt.Errorf("--cone %s: %w", c, err)
		}
		s.Cones = append(s.Cones, cone)
	}
	return s, nil
}

func (f filterFlags) compile() (*filter.Filter, error) {
	s, err := f.spec()
	if err != nil {
		return nil, err
	}
	return filter.Compile(s, filter.Limits{})
}
