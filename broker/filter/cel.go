package filter

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"tocsin/sky"
	"tocsin/voevent"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// regexSize bounds the compiled form of a regular expression in a CEL expression, in instructions.
const regexSize = 2000

// regexText bounds the text that a regular expression is tried on, in bytes.
const regexText = 16 << 10

// celEnvironment is built on first use, because it costs more than all else at the start of a program, and is shared: it does
// not change.
var celEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	text, number := cel.StringType, cel.DoubleType
	params := cel.MapType(text, text)
	return cel.NewEnv(
		cel.Variable("ivorn", text),
		cel.Variable("stream", text),
		cel.Variable("role", text),
		cel.Variable("version", text),
		cel.Variable("params", params),
		cel.Variable("groups", cel.MapType(text, params)),
		cel.Variable("has_position", cel.BoolType),
		cel.Variable("ra_deg", number),
		cel.Variable("dec_deg", number),
		cel.Variable("has_error", cel.BoolType),
		cel.Variable("error_deg", number),
		cel.Variable("has_time", cel.BoolType),
		cel.Variable("time", cel.TimestampType),
		cel.Variable("has_importance", cel.BoolType),
		cel.Variable("importance", number),
		cel.Variable("cites", cel.ListType(text)),
		cel.Variable("cite_types", cel.ListType(text)),
		cel.Variable("notice_type", text),
		cel.Variable("packet_type", cel.IntType),
		cel.Variable("alert_type", text),
		cel.Function("num", cel.Overload("num_string", []*cel.Type{text}, number, cel.UnaryBinding(celNumber))),
		cel.Function("lower", cel.Overload("lower_string", []*cel.Type{text}, text, cel.UnaryBinding(celLower))),
		cel.Function("separation", cel.Overload("separation_4", []*cel.Type{cel.DynType, cel.DynType, cel.DynType, cel.DynType},
			number, cel.FunctionBinding(celSeparation))),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserRecursionLimit(64),
		cel.ParserErrorRecoveryLimit(1),
		cel.ExpressionNodeLimit(4096),
		cel.RegexProgramSizeLimit(regexSize),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals()),
	)
})

type celProgram struct {
	program cel.Program
	loops   bool // it holds a comprehension, so the clock matters
}

func compileCEL(text string, l Limits) (*celProgram, *Error) {
	env, err := celEnvironment()
	if err != nil {
		return nil, refuse("cel", "CEL is not available: %v", err)
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, refuse("cel", "%s", celIssues(issues))
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		return nil, refuse("cel", "the expression gives %s, but a filter must give bool (true or false)", t)
	}
	p := &celProgram{}
	var badRegex bool
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			p.loops = true
		case ast.CallKind:
			if call := e.AsCall(); call.FunctionName() == overloads.Matches {
				args := call.Args()
				badRegex = badRegex || len(args) == 0 || args[len(args)-1].Kind() != ast.LiteralKind
			}
		}
	}))
	if badRegex {
		return nil, refuse("cel", "the pattern of matches() must be written out, not computed")
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), cel.OptimizeRegex(boundedMatches), cel.CostLimit(l.CELCost)}
	if p.loops {
		options = append(options, cel.InterruptCheckFrequency(256))
	}
	if p.program, err = env.Program(checked, options...); err != nil {
		return nil, refuse("cel", "%v", err)
	}
	return p, nil
}

// boundedMatches compiles the pattern of matches() once and bounds the text it is tried on: CEL counts the cost of a call when
// it is over, and over a megabyte a regular expression takes a tenth of a second.
var boundedMatches = &interpreter.RegexOptimization{
	Function: overloads.Matches, OverloadID: overloads.MatchesString, RegexIndex: 1,
	Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), func(values ...ref.Val) ref.Val {
			text, ok := values[0].(types.String)
			if !ok {
				return types.MaybeNoSuchOverloadErr(values[0])
			}
			if len(text) > regexText {
				return types.NewErr("matches(): a text of %d bytes is longer than the %d allowed", len(text), regexText)
			}
			return types.Bool(re.MatchString(string(text)))
		}), nil
	},
}

// celIssues puts the complaints of the compiler, which are meant for a terminal, on one line each with its column.
func celIssues(issues *cel.Issues) string {
	var lines []string
	for _, e := range issues.Errors() {
		where := "column " + strconv.Itoa(e.Location.Column()+1)
		if e.Location.Line() > 1 {
			where = "line " + strconv.Itoa(e.Location.Line()) + ", " + where
		}
		lines = append(lines, where+": "+strings.TrimSuffix(strings.ReplaceAll(e.Message, " (in container '')", ""), "\n"))
		if len(lines) == 3 {
			break
		}
	}
	return strings.Join(lines, "; ")
}

// match evaluates the expression. The error wraps ErrCost or ErrTime when a limit ended it; any other error comes from what the
// notice holds, such as a Param that is not there.
func (p *celProgram) match(n *notice, end time.Time) (bool, error) {
	var out ref.Val
	var err error
	if p.loops {
		ctx, cancel := context.WithDeadline(context.Background(), end)
		out, _, err = p.program.ContextEval(ctx, n)
		cancel()
	} else {
		out, _, err = p.program.Eval(n)
	}
	if err != nil {
		var cancelled interpreter.EvalCancelledError
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return false, ErrTime
		case errors.As(err, &cancelled):
			return false, ErrCost
		}
		return false, err
	}
	return out == types.True, nil
}

// A notice gives CEL its variables, each computed when an expression first asks for it.
type notice struct {
	event *voevent.Event

	located, timed bool
	position       voevent.Position
	hasPosition    bool
	time           time.Time
	hasTime        bool
	summary        *voevent.Summary
	params         params
	groups         ref.Val
	cites, kinds   ref.Val
}

// Values a notice may lack are errors, not zeroes: `dec_deg > -30.0` must not hold for a notice without a position. CEL lets
// `has_position && ...` guard against them, and an error that reaches the end counts as false.
var (
	errNoPosition   = types.NewErr("the notice has no position")
	errNoError      = types.NewErr("the notice has no position error")
	errNoTime       = types.NewErr("the notice has no event time")
	errNoImportance = types.NewErr("the notice states no importance")
)

// Parent is part of CEL's interface; there is nothing above a notice.
func (n *notice) Parent() cel.Activation { return nil }

// ResolveName gives a variable by name.
func (n *notice) ResolveName(name string) (any, bool) {
	e := n.event
	switch name {
	case "ivorn":
		return types.String(e.IVORN.String()), true
	case "stream":
		return types.String(e.IVORN.Key()), true
	case "role":
		return types.String(e.Role), true
	case "version":
		return types.String(e.Version), true
	case "params":
		n.params.event = e
		return &n.params, true
	case "groups":
		if n.groups == nil {
			n.groups = groupsOf(e)
		}
		return n.groups, true
	case "cites":
		if n.cites == nil {
			n.cites = citationList(e, func(c voevent.Citation) string { return c.IVORN })
		}
		return n.cites, true
	case "cite_types":
		if n.kinds == nil {
			n.kinds = citationList(e, func(c voevent.Citation) string { return c.Cite })
		}
		return n.kinds, true
	case "notice_type":
		return types.String(n.summarised().NoticeType), true
	case "alert_type":
		return types.String(n.summarised().AlertType), true
	case "packet_type":
		if t := n.summarised().PacketType; t != nil {
			return types.Int(*t), true
		}
		return types.Int(0), true
	case "has_position", "ra_deg", "dec_deg", "has_error", "error_deg":
		return n.positional(name), true
	case "has_time", "time":
		if !n.timed {
			n.time, n.hasTime = e.Time()
			n.timed = true
		}
		if name == "has_time" {
			return types.Bool(n.hasTime), true
		}
		return orMissing(types.Timestamp{Time: n.time}, n.hasTime, errNoTime), true
	case "has_importance", "importance":
		v, ok := e.Importance()
		if name == "has_importance" {
			return types.Bool(ok), true
		}
		return orMissing(types.Double(v), ok, errNoImportance), true
	}
	return nil, false
}

func citationList(e *voevent.Event, field func(voevent.Citation) string) ref.Val {
	cs := e.Citations()
	list := make([]string, len(cs))
	for i, c := range cs {
		list[i] = field(c)
	}
	return types.NewStringList(types.DefaultTypeAdapter, list)
}

func orMissing(v ref.Val, ok bool, missing ref.Val) ref.Val {
	if !ok {
		return missing
	}
	return v
}

func (n *notice) positional(name string) ref.Val {
	if !n.located {
		n.position, n.hasPosition = n.event.Position()
		n.located = true
	}
	p := &n.position
	switch name {
	case "has_position":
		return types.Bool(n.hasPosition)
	case "ra_deg":
		return orMissing(types.Double(p.RADeg), n.hasPosition, errNoPosition)
	case "dec_deg":
		return orMissing(types.Double(p.DecDeg), n.hasPosition, errNoPosition)
	case "has_error":
		return types.Bool(n.hasPosition && p.HasError)
	default:
		return orMissing(types.Double(p.ErrorDeg), n.hasPosition && p.HasError, errNoError)
	}
}

func (n *notice) summarised() *voevent.Summary {
	if n.summary == nil {
		s := n.event.Summary()
		n.summary = &s
	}
	return n.summary
}

func celNumber(v ref.Val) ref.Val {
	text := strings.TrimSpace(string(v.(types.String)))
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.ContainsAny(text, "_xX") {
		if len(text) > 40 {
			text = text[:40] + "..."
		}
		return types.NewErr("num(): %q is not a number", text)
	}
	return types.Double(f)
}

func celLower(v ref.Val) ref.Val { return types.String(strings.ToLower(string(v.(types.String)))) }

func celSeparation(args ...ref.Val) ref.Val {
	var deg [4]float64
	for i, a := range args {
		switch v := a.(type) {
		case types.Double:
			deg[i] = float64(v)
		case types.Int:
			deg[i] = float64(v)
		case types.Uint:
			deg[i] = float64(v)
		default:
			return types.MaybeNoSuchOverloadErr(a)
		}
	}
	return types.Double(sky.Separation(sky.Point{RADeg: deg[0], DecDeg: deg[1]}, sky.Point{RADeg: deg[2], DecDeg: deg[3]}))
}
