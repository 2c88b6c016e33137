// Command trellis is Trellis: `trellis serve` is the daemon, the other verbs are clients of its public API.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, the same for every verb. `trellis exec` gives the exit code of its command, and exitExec when
// it could not run it.
const (
	exitFailed  = 1   // it was tried and failed, or something was not as expected
	exitUsage   = 2   // wrong arguments
	exitMachine = 3   // this machine lacks a right or a kernel feature: `trellis check` says which
	exitExec    = 125 // `trellis exec` could not run the command
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	code := exitFailed
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if e == nil || e.err != nil {
		fmt.Fprintln(os.Stderr, "trellis:", err)
	}
	os.Exit(code)
}

// rootCommand is trellis with all of its verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "trellis",
		Short:         "VPC Lattice that anybody can run",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(serveCommand(), upCommand(), labCommand(), execCommand(), checkCommand(), accountCommand(),
		requestCommand(), echoCommand())
	return root
}
