package filter

import (
	"reflect"

	"tocsin/voevent"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// params shows the Params of a notice to CEL as a map from name to value, without building one unless an expression walks
// over it: nearly all ask for one or two names.
type params struct {
	event *voevent.Event
	built traits.Mapper
}

// Find is the look-up behind params.TrigID and params["TrigID"]. Of several Params with one name the first counts.
func (p *params) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	if v, ok := p.event.Param(string(name)); ok {
		return types.String(v.Value), true
	}
	return nil, false
}

// Get is Find, with CEL's error for what is not there.
func (p *params) Get(key ref.Val) ref.Val {
	v, ok := p.Find(key)
	switch {
	case ok:
		return v
	case v != nil:
		return v
	}
	return types.NewErr("the notice has no Param %q", string(key.(types.String)))
}

// Contains is the operator `in`.
func (p *params) Contains(key ref.Val) ref.Val {
	v, ok := p.Find(key)
	if v != nil && !ok {
		return v
	}
	return types.Bool(ok)
}

func (p *params) whole() traits.Mapper {
	if p.built == nil {
		p.built = types.NewStringStringMap(types.DefaultTypeAdapter, paramMap(p.event.What().Params))
	}
	return p.built
}

func paramMap(ps []voevent.Param) map[string]string {
	m := make(map[string]string, len(ps))
	for i := range ps {
		if _, ok := m[ps[i].Name]; !ok {
			m[ps[i].Name] = ps[i].Value
		}
	}
	return m
}

// The rest of traits.Mapper is that of the map itself.

func (p *params) Iterator() traits.Iterator { return p.whole().Iterator() }
func (p *params) Size() ref.Val             { return p.whole().Size() }
func (p *params) Equal(o ref.Val) ref.Val   { return p.whole().Equal(o) }
func (p *params) Type() ref.Type            { return types.MapType }
func (p *params) Value() any                { return p.whole().Value() }

func (p *params) ConvertToNative(t reflect.Type) (any, error) { return p.whole().ConvertToNative(t) }
func (p *params) ConvertToType(t ref.Type) ref.Val            { return p.whole().ConvertToType(t) }

// groupsOf gives the Groups by name, those without one by type; of several with one name each Param's first value counts.
func groupsOf(e *voevent.Event) ref.Val {
	groups := map[string]map[string]string{}
	for _, g := range e.What().Groups {
		name := g.Name
		if name == "" {
			name = g.Type
		}
		m := groups[name]
		if m == nil {
			groups[name] = paramMap(g.Params)
			continue
		}
		for k, v := range paramMap(g.Params) {
			if _, ok := m[k]; !ok {
				m[k] = v
			}
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(groups)
}
