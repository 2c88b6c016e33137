package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis/daemon"
	"github.com/trellis-project/trellis/vpc"
)

// configFlags binds the daemon's configuration to flags.
func configFlags(cmd *cobra.Command, c *daemon.Config, level *slog.Level) {
	f := cmd.Flags()
	f.StringVar(&c.Listen, "listen", c.Listen, "address of the API endpoint")
	f.StringVar(&c.Data, "data", c.Data, "directory of all state")
	f.StringVar(&c.Region, "region", c.Region, "the AWS region that Trellis is")
	f.StringVar(&c.Compatibility, "compatibility", c.Compatibility, "extended takes AWS's and the guide's forms, strict AWS's alone")
	f.StringSliceVar(&c.DNSForward, "dns-forward", nil, "resolvers, address:port, for names that are not ours (default: the host's)")
	f.StringSliceVar(&c.Etcd, "etcd", nil, "endpoints of an etcd cluster to use instead of the embedded one")
	f.DurationVar(&c.DrainTimeout, "drain-timeout", c.DrainTimeout, "how long requests in flight may take when Trellis stops")
	f.StringVar(&c.Debug, "debug", "", "address to serve profiles and counters at, for example 127.0.0.1:6060: they tell much, so keep it on the loopback (default: nowhere)")
	f.StringVar(&c.Acceleration, "acceleration", c.Acceleration, "join sockets of this machine past TCP: both legs, target (node to target) or off")
	f.BoolVar(&c.CoreDumps, "core-dumps", false, "let the system dump the memory of this process, with the secrets in it, when it crashes")
	f.IntVar(&c.Decisions, "decisions", c.Decisions, "how many of the latest allowed requests each event loop remembers for trellis explain, and a quarter as many denied ones")
	f.TextVar(level, "log-level", slog.LevelInfo, "debug, info, warn or error")
}

// serveCommand is `trellis serve`, the daemon.
func serveCommand() *cobra.Command {
	config, level := daemon.DefaultConfig(), slog.LevelInfo
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run Trellis until SIGTERM",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fitMachine(); err != nil {
				return err
			}
			d, err := newDaemon(config, level)
			if err != nil {
				return err
			}
			return d.Run(cmd.Context())
		},
	}
	configFlags(cmd, &config, &level)
	cmd.Flags().BoolVar(&config.KeepVPCs, "keep-vpcs", false, "leave the VPCs and what runs in them at SIGTERM, for the next start with the same --data")
	return cmd
}

// newDaemon makes a daemon that logs to standard error.
func newDaemon(c daemon.Config, level slog.Level) (*daemon.Daemon, error) {
	if err := c.Validate(); err != nil {
		return nil, usage(err)
	}
	return daemon.New(c, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
}

// fitMachine refuses a machine that can't carry VPCs, saying what to install or do.
func fitMachine() error { return unfit(vpc.Check()) }

// unfit is the error that says what a machine lacks, or nil.
func unfit(problems []vpc.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	text := "this machine can't carry VPCs"
	for _, p := range problems {
		text += fmt.Sprintf("\n  %s: %s\n    %s", p.Code, p.Text, p.Fix)
	}
	return &exitError{exitMachine, errors.New(text)}
}

// checkCommand is `trellis check`: what this machine can do.
func checkCommand() *cobra.Command {
	output, data := "table", daemon.DefaultConfig().Data
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether this machine can carry VPCs, and what to install if not",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usage(fmt.Errorf("-o %q: want table or json", output))
			}
			problems := vpc.Check()
			acceleration, resources := "not looked at", "not looked at"
			if len(problems) == 0 {
				acceleration, resources = "ok", "ok"
				if err := vpc.CheckAcceleration(); err != nil {
					acceleration = err.Error()
				}
				if err := vpc.CheckResources(); err != nil {
					resources = err.Error()
				}
			}
			running, help, err := metricsOf(cmd.Context(), data)
			if err != nil {
				running = map[string]float64{} // none runs there, which is no problem of the machine
			}
			out := cmd.OutOrStdout()
			if output == "json" {
				rows := make([]map[string]string, len(problems))
				for i, p := range problems {
					rows[i] = map[string]string{"code": p.Code, "text": p.Text, "fix": p.Fix}
				}
				if err := json.NewEncoder(out).Encode(map[string]any{"ok": len(problems) == 0, "problems": rows, "acceleration": acceleration, "resources": resources, "running": running}); err != nil {
					return err
				}
				if len(problems) > 0 {
					return &exitError{exitMachine, nil}
				}
				return nil
			}
			if err := unfit(problems); err != nil {
				return err
			}
			fmt.Fprintln(out, "ok: root, network namespaces, veth, nftables")
			fmt.Fprintln(out, "socket acceleration (optional): "+acceleration)
			fmt.Fprintln(out, "TCP resources (optional): "+resources)
			if len(running) == 0 {
				fmt.Fprintf(out, "no Trellis runs with --data %s\n", data)
				return nil
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			fmt.Fprintf(w, "the Trellis that runs with --data %s:\n", data)
			for _, name := range slices.Sorted(maps.Keys(running)) {
				base, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
				fmt.Fprintf(w, "  %.0f\t%s\t%s\n", running[name], strings.ReplaceAll(labels, `"`, ""), help[base])
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.Flags().StringVar(&data, "data", data, "data directory of a Trellis that runs, to tell what it does")
	return cmd
}

// metricsOf asks a running Trellis for its own metrics, by name and labels, and what each name means.
func metricsOf(ctx context.Context, data string) (found map[string]float64, help map[string]string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	text, err := daemon.Metrics(ctx, data)
	if err != nil {
		return nil, nil, err
	}
	defer text.Close()
	found, help = map[string]float64{}, map[string]string{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "# HELP "); ok {
			name, means, _ := strings.Cut(text, " ")
			help[name] = means
			continue
		}
		name, value, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && strings.HasPrefix(name, "trellis_") {
			found[name] = v
		}
	}
	return found, help, lines.Err()
}
