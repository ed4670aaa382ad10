package filter

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"tocsin/broker/filter/xpath"
	"tocsin/voevent"
)

// Failures says how often the expressions of a filter could not be evaluated, each time counting as false.
type Failures struct {
	Limit  uint64 // evaluations ended by a limit, or that broke down
	Notice uint64 // CEL found the notice wanting, such as a Param that is not there; ordinary
	Last   error  // the last of the first kind, nil when there was none
}

// failures is written only when something fails, which is rare enough for a lock.
type failures struct {
	mu sync.Mutex
	Failures
}

// Failures returns the counts since Compile.
func (f *Filter) Failures() Failures {
	if f == nil {
		return Failures{}
	}
	f.failures.mu.Lock()
	defer f.failures.mu.Unlock()
	return f.failures.Failures
}

func (f *failures) add(field string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !errors.Is(err, ErrCost) && !errors.Is(err, ErrTime) && !errors.Is(err, errBroken) {
		f.Notice++
		return
	}
	f.Limit++
	f.Last = fmt.Errorf("%s: %w", field, err)
}

// errBroken is wrapped by the error of an evaluation that panicked. It would be a fault in this program or in the CEL
// library, and must cost the notice for this subscriber and no more.
var errBroken = errors.New("filter: the evaluation broke down")

func (f *Filter) compileExpressions() *Error {
	n := len(f.spec.XPath)
	if f.spec.CEL != "" {
		n++
	}
	if n > f.limits.Expressions {
		return refuse("xpath", "%d expressions (CEL and XPath together) are more than the %d allowed", n, f.limits.Expressions)
	}
	for i, text := range f.spec.XPath {
		x, err := xpath.Compile(text, xpath.Limits{Bytes: f.limits.ExpressionBytes, Depth: f.limits.XPathDepth})
		if err != nil {
			reason := err.Error()
			if se := (*xpath.SyntaxError)(nil); errors.As(err, &se) {
				reason = fmt.Sprintf("column %d: %s", se.Offset+1, se.Text)
			}
			return refuse(fmt.Sprintf("xpath[%d]", i), "%s", reason)
		}
		f.xpath = append(f.xpath, x)
	}
	if f.spec.CEL == "" {
		return nil
	}
	if n := len(f.spec.CEL); n > f.limits.ExpressionBytes {
		return refuse("cel", "%d bytes are more than the %d allowed", n, f.limits.ExpressionBytes)
	}
	var err *Error
	f.cel, err = compileCEL(f.spec.CEL, f.limits)
	return err
}

func (f *Filter) matchExpressions(e *voevent.Event) bool {
	if f.cel == nil && len(f.xpath) == 0 {
		return true
	}
	v := evaluation{filter: f, event: e}
	if f.cel != nil {
		ok, err := v.matchCEL()
		if err != nil {
			f.failures.add("cel", err)
		}
		if !ok {
			return false
		}
	}
	if len(f.xpath) == 0 {
		return true
	}
	for i := range f.xpath {
		ok, err := v.matchXPath(i)
		if err != nil {
			f.failures.add(fmt.Sprintf("xpath[%d]", i), err)
		}
		if ok {
			return true
		}
	}
	return false
}

// An evaluation is one notice before the expressions of one filter, which share the budget and the time.
type evaluation struct {
	filter *Filter
	event  *voevent.Event
	budget xpath.Budget
	end    time.Time
}

func (v *evaluation) start() time.Time {
	if v.end.IsZero() {
		v.end = time.Now().Add(v.filter.limits.Time)
		v.budget = xpath.Budget{Steps: v.filter.limits.XPathSteps, Deadline: v.end}
	}
	return v.end
}

func (v *evaluation) matchCEL() (ok bool, err error) {
	defer recoverBroken(&ok, &err)
	return v.filter.cel.match(&notice{event: v.event}, v.start())
}

func (v *evaluation) matchXPath(i int) (ok bool, err error) {
	defer recoverBroken(&ok, &err)
	v.start()
	ok, err = v.filter.xpath[i].Bool(v.event.Doc(), &v.budget)
	switch {
	case errors.Is(err, xpath.ErrSteps):
		err = ErrCost
	case errors.Is(err, xpath.ErrTime):
		err = ErrTime
	}
	return ok, err
}

func recoverBroken(ok *bool, err *error) {
	if r := recover(); r != nil {
		*ok, *err = false, fmt.Errorf("%w: %v", errBroken, r)
	}
}
