// Command trellis is Trellis: `trellis serve` is the daemon, the other verbs are clients of its public API.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis"
)

// Exit codes, the same for every verb and documented in docs/cli.md. `trellis exec` gives the exit code of its
// command; the last three are its own, as those of env(1) and of container engines.
const (
	exitFailed        = 1   // it was tried and failed, or something was not as expected
	exitUsage         = 2   // wrong arguments
	exitMachine       = 3   // this machine lacks a right or a kernel feature: `trellis check` says which
	exitExec          = 125 // `trellis exec` could not come so far as to run the command
	exitNotExecutable = 126 // the command is there and can't be executed
	exitNotFound      = 127 // there is no such command
	exitInterrupted   = 130 // Ctrl-C or SIGTERM before it was done; not for serve and up, which are to be ended so
)

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error // nil when all was said already
}

// Error is the text of what happened.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

// Unwrap is what happened.
func (e *exitError) Unwrap() error { return e.err }

// usage wraps what is wrong with the arguments.
func usage(err error) error { return &exitError{exitUsage, err} }

// noArguments refuses positional arguments.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("%q is one argument too many", args[0]))
	}
	return nil
}

// oneArgument wants one positional argument and says which.
func oneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(fmt.Errorf("want one argument, %s, not %d", what, len(args)))
		}
		return nil
	}
}

// group makes a command one that only has verbs below it: alone it prints its help, with anything else it says
// which verbs there are.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("%s has no verb %q", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += ": did you mean " + strings.Join(near, " or ") + "?"
		}
		return usage(errors.New(text))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	cmd, err := rootCommand().ExecuteContextC(ctx)
	interrupted := ctx.Err() != nil && errors.Is(err, context.Canceled)
	stop()
	if err == nil {
		return
	}
	if interrupted {
		fmt.Fprintln(os.Stderr, "trellis: interrupted")
		os.Exit(exitInterrupted)
	}
	code := exitFailed
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if e == nil || e.err != nil {
		fmt.Fprintf(os.Stderr, "trellis: %v\n", err)
		if hint := nextStep(cmd, code, err); hint != "" {
			fmt.Fprintln(os.Stderr, hint)
		}
	}
	os.Exit(code)
}

// nextStep is what to do about an error, for those errors whose text can't say it because whoever made them
// doesn't know this program.
func nextStep(cmd *cobra.Command, code int, err error) string {
	if code == exitUsage {
		return "See: " + cmd.CommandPath() + " --help"
	}
	if cmd.Flags().Lookup("endpoint") == nil {
		return ""
	}
	var call *url.Error
	if errors.As(err, &call) && !call.Timeout() && !errors.Is(err, context.Canceled) {
		return "Does Trellis run there? Start it with: trellis serve. Name another address with --endpoint or AWS_ENDPOINT_URL."
	}
	var refused *trellis.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case "UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch", "AuthFailure", "InvalidSignatureException":
			return "Are these the credentials of this very Trellis? They are in the file credentials of its data directory: name it with --credentials."
		}
	}
	return ""
}

// version is what this program was built from, as Go notes it.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}

// rootCommand is trellis with all of its verbs.
func rootCommand() *cobra.Command {
	root := group(&cobra.Command{
		Use:           "trellis",
		Short:         "VPC Lattice that anybody can run",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	})
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(serveCommand(), upCommand(), labCommand(), execCommand(), checkCommand(), accountCommand(),
		requestCommand(), explainCommand(), echoCommand(), caCommand(), backupCommand(), restoreCommand(), rotateKeyCommand(),
		applyCommand(), diffCommand(), exportCommand(), importAWSCommand())
	return root
}
