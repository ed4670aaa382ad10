// Command tocsin is an alert broker for observatories and the tools that go with it: it takes VOEvent notices in,
// has them on disk before it says yes, and gives them to every subscriber.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit statuses: 0 for success, 1 when the work failed (a notice refused, a file invalid), 2 when the command line or
// the configuration is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

type cli struct {
	Serve    serveCmd    `cmd:"" help:"Run the broker."`
	Send     sendCmd     `cmd:"" help:"Send notices to a broker."`
	Listen   listenCmd   `cmd:"" help:"Receive notices from one or several brokers."`
	Validate validateCmd `cmd:"" help:"Check notices against the standard, in plain words."`
	Explain  explainCmd  `cmd:"" help:"Explain a finding of validate."`
	Convert  convertCmd  `cmd:"" help:"Convert notices between XML and JSON, without loss."`
	Replay   replayCmd   `cmd:"" help:"Print or send again what the broker's journal keeps."`
	Status   statusCmd   `cmd:"" help:"Show who is connected, how far behind, and what was refused."`
	Journal  journalCmd  `cmd:"" help:"Check a journal file, or save what a damaged one still holds."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// errFailed ends a command with status 1 after it has told everything itself.
var errFailed = errors.New("failed")

func main() {
	os.Exit(run(context.Background(), os.Args[1:], newTerminal(os.Stdin, os.Stdout, os.Stderr)))
}

// run is the program without the process: it returns the exit status.
func run(ctx context.Context, args []string, t *terminal) int {
	var c cli
	status, exited := 0, false
	parser, err := kong.New(
		&c,
		kong.Name("tocsin"),
		kong.Description("Tocsin takes burst alerts (VOEvent notices) in and gets them to every subscriber.\n\n"+
			"Try: tocsin serve in one terminal, tocsin listen in a second, tocsin send FILE in a third."),
		kong.Writers(t.stdout, t.stderr),
		kong.Exit(func(code int) { status, exited = code, true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 110}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(t),
	)
	if err != nil {
		fmt.Fprintf(t.stderr, "tocsin: %v\n", err)
		return exitUsage
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited {
		return status
	}
	if err != nil {
		fmt.Fprintf(t.stderr, "tocsin: %v\n", err)
		if pe := new(kong.ParseError); errors.As(err, &pe) && pe.Context.Command() != "" {
			fmt.Fprintf(t.stderr, "See: tocsin %s --help\n", strings.SplitN(pe.Context.Command(), " <", 2)[0])
		} else {
			fmt.Fprintln(t.stderr, "See: tocsin --help")
		}
		return exitUsage
	}
	err = command.Run()
	switch ce := new(ConfigError); {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.As(err, &ce):
		fmt.Fprintf(t.stderr, "tocsin: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(t.stderr, "tocsin: %v\n", err)
		return exitFailed
	}
}

// untilSignal gives a context that ends with the first SIGINT or SIGTERM; the second one then ends the process as
// usual.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// version tells which Tocsin this is: the module's version when it was installed as one, and the commit it was built
// from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
	}
	var revision, modified string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if len(revision) > 12 && !strings.Contains(v, revision[:12]) {
		v += " (" + revision[:12] + modified + ")"
	}
	return v
}

type versionCmd struct{}

func (versionCmd) Run(t *terminal) error {
	info, _ := debug.ReadBuildInfo()
	goVersion := "unknown Go"
	if info != nil {
		goVersion = info.GoVersion
	}
	_, err := fmt.Fprintf(t.stdout, "tocsin %s, %s\n", version(), goVersion)
	return err
}
