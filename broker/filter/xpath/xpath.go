// Package xpath evaluates XPath 1.0 expressions over a notice's tree, for filters that strangers send.
//
// It gives the answers of libxml2, which subscribers' filters were written against: no namespace prefix is bound, a name
// without prefix means no namespace, numbers may have an exponent (but a lone "-" is none). Three things differ, all by refusing: prefixes, variables and
// what a notice cannot have (the namespace axis, id()) are errors when compiling and not surprises later. Comments and
// processing instructions are not in the tree, so comment() and processing-instruction() match nothing.
//
// An expression is compiled once, never changes and may be evaluated by any number of goroutines. Each evaluation counts its
// steps against a Budget and ends when it is used up, whatever the expression.
package xpath

import (
	"errors"
	"fmt"
	"time"

	"tocsin/voevent/xmltree"
)

// Limits bounds what Compile takes. A zero field means no limit but that of the parser's own depth.
type Limits struct {
	Bytes int // length of the expression
	Depth int // predicates and function calls within each other
}

// SyntaxError says why an expression is refused.
type SyntaxError struct {
	Offset int // where in the expression, in bytes
	Text   string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("xpath: column %d: %s", e.Offset+1, e.Text) }

// Errors of an evaluation that a Budget ended.
var (
	ErrSteps = errors.New("xpath: the expression took more steps than allowed")
	ErrTime  = errors.New("xpath: the expression took more time than allowed")
)

// A Budget is what the evaluation of one or several expressions may use up together. A step is a node visited, a value
// compared, or 16 bytes of text looked through.
type Budget struct {
	Steps    int       // left; evaluations count it down
	Deadline time.Time // zero: none
}

// Expr is a compiled expression.
type Expr struct {
	text string
	root expr
}

// Compile reads an expression. The error is a *SyntaxError.
func Compile(text string, l Limits) (x *Expr, err error) {
	if l.Bytes > 0 && len(text) > l.Bytes {
		return nil, &SyntaxError{Text: fmt.Sprintf("%d bytes are more than the %d allowed", len(text), l.Bytes)}
	}
	p := &parser{limits: l}
	defer func() {
		if r := recover(); r != nil {
			se, ok := r.(*SyntaxError)
			if !ok {
				panic(r)
			}
			x, err = nil, se
		}
	}()
	p.tokens = lex(text)
	root := p.orExpr()
	if t := p.peek(); t.kind != tokEnd {
		fail(t.at, "%s is not expected here", t)
	}
	return &Expr{text: text, root: root}, nil
}

// String returns the expression as written.
func (x *Expr) String() string { return x.text }

// Bool evaluates the expression at the root of the document and converts the result as boolean() does: true, a number
// neither 0 nor NaN, a string or node-set that is not empty. The error is ErrSteps or ErrTime.
func (x *Expr) Bool(d *xmltree.Document, b *Budget) (result bool, err error) {
	c := &context{doc: d, budget: b, item: documentNode, pos: 1, size: 1}
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(stopped)
			if !ok {
				panic(r)
			}
			result, err = false, s.err
		}
	}()
	return x.root.boolean(c), nil
}

// stopped carries the error out of an evaluation that has to end at once.
type stopped struct{ err error }

// context is where an evaluation stands. There is one for each evaluation; predicates change item, pos and size and put
// them back.
type context struct {
	doc    *xmltree.Document
	budget *Budget
	ticks  int
	item   item
	pos    int
	size   int
}

// spend counts steps, and looks at the clock every now and then.
func (c *context) spend(n int) {
	if c.budget.Steps -= n; c.budget.Steps < 0 {
		c.budget.Steps = 0
		panic(stopped{ErrSteps})
	}
	if c.ticks += n; c.ticks >= 4096 {
		c.ticks = 0
		if d := c.budget.Deadline; !d.IsZero() && time.Now().After(d) {
			panic(stopped{ErrTime})
		}
	}
}

// made counts text that was put together or looked through.
func (c *context) made(s string) string {
	c.spend(len(s) >> 4)
	return s
}

func fail(at int, format string, args ...any) {
	panic(&SyntaxError{Offset: at, Text: fmt.Sprintf(format, args...)})
}
