package voevent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"tocsin/schemas"
	"tocsin/voevent/xmltree"

	"github.com/jacoelho/xsd"
	"github.com/jacoelho/xsd/xsderrors"
)

// maxEngineErrors bounds what the engine collects of one document. It is large because some of its errors are set aside
// (see standing), and those must not crowd out the others.
const maxEngineErrors = 10_000

// An engine is a compiled schema with the sessions that are idle.
type engine struct {
	compile  func() *xsd.Engine
	sessions sync.Pool // of *xsd.Session
}

// engines holds one by namespace. A schema is compiled when the first document needs it, once (some 3 ms).
var engines = map[string]*engine{
	schemas.VOEvent11NS: newEngine(schemas.VOEvent11),
	schemas.VOEvent20NS: newEngine(schemas.VOEvent20),
	schemas.VOEvent21NS: newEngine(schemas.VOEvent21),
}

func newEngine(name string) *engine {
	return &engine{compile: sync.OnceValue(func() *xsd.Engine {
		source, err := embedded{}.ResolveSchema(context.Background(), "", name)
		if err != nil {
			panic(fmt.Sprintf("voevent: %v", err))
		}
		e, err := xsd.Compile(context.Background(), source.WithResolver(embedded{}))
		if err != nil {
			panic(fmt.Sprintf("voevent: the built-in schema %s: %v", name, err))
		}
		return e
	})}
}

// embedded resolves what the built-in schemas include and import among themselves, and nothing else.
type embedded struct{}

func (embedded) ResolveSchema(_ context.Context, _, location string) (xsd.SchemaSource, error) {
	text, err := schemas.Read(location)
	if err != nil {
		return xsd.SchemaSource{}, fmt.Errorf("%w: %w", xsderrors.ErrSchemaNotFound, err)
	}
	return xsd.Bytes(location, text), nil
}

// judge validates the root element of d. What stands before and behind it is the parser's business; its encoding
// declaration would be wrong here anyway, since Source is UTF-8 whatever came in.
func (e *engine) judge(d *xmltree.Document) []*xsderrors.Error {
	s, _ := e.sessions.Get().(*xsd.Session)
	if s == nil {
		var err error
		if s, err = e.compile().NewSession(xsd.ValidateOptions{MaxErrors: maxEngineErrors}); err != nil {
			panic(fmt.Sprintf("voevent: %v", err))
		}
	}
	defer e.sessions.Put(s)
	root := d.Root()
	err := s.Validate(context.Background(), bytes.NewReader(d.Source()[d.Offset(root):d.End(root)]))
	line, column := d.Position(root)
	all := flatten(nil, err)
	for _, x := range all {
		if x.Line == 1 {
			x.Column += column - 1
		}
		x.Line += line - 1
	}
	return all
}

func flatten(out []*xsderrors.Error, err error) []*xsderrors.Error {
	if many, ok := errors.AsType[xsderrors.Errors](err); ok {
		for _, one := range many {
			out = flatten(out, one)
		}
		return out
	}
	if one, ok := errors.AsType[*xsderrors.Error](err); ok {
		copied := *one
		return append(out, &copied)
	}
	if err != nil {
		out = append(out, &xsderrors.Error{Code: xsderrors.CodeInternalInvariant, Message: err.Error(), Line: 1, Column: 1, Path: "/"})
	}
	return out
}

// standing splits the engine's errors into those that make the document invalid and the unresolved references, which are
// warnings here. It drops errors that are the engine's own: brokers have always gone by libxml2, which does not look at
// xsi:schemaLocation, does not resolve IDREFs, and takes xml:space and xml:lang as undeclared where anything may stand.
// The explainer judges URIs itself.
func standing(d *xmltree.Document, all []*xsderrors.Error) (errs, unresolved []*xsderrors.Error) {
	for _, x := range all {
		switch m := x.Message; {
		case strings.Contains(m, "xsi:schemaLocation"), strings.Contains(m, "xsi:noNamespaceSchemaLocation"), strings.HasPrefix(m, "schema-location "):
		case strings.HasSuffix(m, "invalid anyURI"):
		case m == "invalid wildcard attribute space", m == "invalid wildcard attribute lang":
		case strings.HasPrefix(m, "IDREF does not resolve"):
			unresolved = append(unresolved, x)
		case x.Code == xsderrors.CodeValidationNil && d.Space(d.Root()) == schemas.VOEvent11NS && isWithinAnything(x.Path):
		default:
			errs = append(errs, x)
		}
	}
	if len(all) >= maxEngineErrors && len(errs) == 0 {
		errs = all[len(all)-1:] // there may be more behind those set aside
	}
	return errs, unresolved
}

// isWithinAnything tells whether the parent of an undeclared element of VOEvent 1.1 is one that 1.1 leaves open. The
// engine reports the parent's path there, and takes a nil element without a declaration for one that may not be nil.
func isWithinAnything(path string) bool {
	for _, open := range []string{"/Param", "/Group", "/Inference", "/Reference"} {
		if strings.Contains(path, open) {
			return true
		}
	}
	return false
}
