package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis"
)

// explainCommand is `trellis explain`: why a request was let through or denied.
func explainCommand() *cobra.Command {
	var reach reachFlags
	var account, output string
	cmd := &cobra.Command{
		Use:   "explain REQUEST_ID",
		Short: "Say why a request to a service was allowed or denied",
		Long: `Say why a request to a service was allowed or denied: what each layer decided, by which policy and statement, and which
conditions did not hold. The id is x-amzn-requestid of the answer, and requestId in the access log.

Asked as an account, it tells of requests to services and through service networks of that account; of the policies of
other accounts it tells only what they decided. The action is trellis:ExplainRequest. The node keeps the latest requests
alone: older denials are in the access log, as authDeniedDetail.`,
		Example: `  trellis explain 0f4c3a52-6a2f-4c4e-9d6f-0b6d5d4a8b11
  trellis explain --account 444455556666 -o json 0f4c3a52-6a2f-4c4e-9d6f-0b6d5d4a8b11`,
		Args: oneArgument("the id of a request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "table" && output != "json" {
				return usage(fmt.Errorf("-o %q: want table or json", output))
			}
			if account != "" && !accountID.MatchString(account) {
				return usage(fmt.Errorf("--account %q: want an account's id, 12 digits", account))
			}
			if args[0] == "" {
				return usage(errors.New("the id of the request is empty"))
			}
			accounts, err := reach.accounts()
			if err != nil {
				return err
			}
			c, err := accounts.Client(cmd.Context(), account)
			if err != nil {
				return err
			}
			found, err := c.Explain(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if output == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(map[string]any{"explanations": found})
			}
			for i := range found {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				if err := printExplanation(cmd.OutOrStdout(), &found[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	reach.bind(cmd)
	cmd.Flags().StringVar(&account, "account", "", "account that owns the service or service network (default: yours)")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// printExplanation prints what was decided about one request.
func printExplanation(out io.Writer, e *trellis.Explanation) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, printableLine(value))
		}
	}
	verdict := "allowed"
	switch {
	case e.Signature != nil:
		verdict = "refused: " + e.Signature.Code
	case !e.Allowed:
		verdict = "denied by the layer " + e.AuthDeniedReason
	}
	principal := e.Principal
	if e.PrincipalSource != "" {
		principal += " (by " + e.PrincipalSource + ")"
	}
	line("request", e.RequestID)
	line("at", e.Time.Format("2006-01-02T15:04:05.000Z07:00"))
	line("verdict", verdict)
	line("principal", principal)
	line("action", e.Action)
	line("method", e.Method)
	line("resource", e.Resource)
	line("service", e.ServiceARN)
	line("network", e.ServiceNetworkARN)
	line("from", e.SourceIPPort+" in "+e.SourceVPCID)
	line("note", e.Note)
	if err := w.Flush(); err != nil {
		return err
	}
	if len(e.Layers) > 0 {
		fmt.Fprintln(out)
		printLayers(out, e.Layers)
	}
	if s := e.Signature; s != nil {
		printSignature(out, s)
	}
	return nil
}

// printLayers prints what each layer says: a row for each policy, and one for each condition that did not hold.
func printLayers(out io.Writer, layers []trellis.ExplainedLayer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LAYER\tPOLICY\tEFFECT\tSTATEMENT\tWHY")
	for _, l := range layers {
		policy, statement := l.Policy, "-"
		if policy == "" {
			policy = "-"
		}
		if l.Statement != nil {
			statement = placeOf(l.Statement)
		}
		text := l.Text
		if len(l.Misses) > 0 {
			text = "no statement allows the request"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Layer, printableLine(policy), l.Effect, statement, printableLine(text))
		for _, m := range l.Misses {
			fmt.Fprintf(w, "\t\t\t%s\t%s\n", placeOf(&m.Statement), printableLine(missOf(&m)))
		}
	}
	w.Flush()
}

// placeOf is where a statement stands: its Sid or number, line and column.
func placeOf(s *trellis.ExplainedStatement) string {
	place := s.Sid
	if place == "" {
		place = fmt.Sprintf("Statement[%d]", s.Index)
	}
	if s.Line > 0 {
		place += fmt.Sprintf(" %d:%d", s.Line, s.Column)
	}
	return printableLine(place)
}

// missOf is why a statement does not speak of the request.
func missOf(m *trellis.ExplainedMiss) string {
	if m.Element != "Condition" {
		return m.Text
	}
	seen := "is absent"
	if len(m.Seen) > 0 {
		seen = fmt.Sprintf("was %q", m.Seen)
		if len(m.Seen) == 1 {
			seen = fmt.Sprintf("was %q", m.Seen[0])
		}
	}
	return fmt.Sprintf("%s %s at %d:%d wants %s, and %s", m.Operator, m.Key, m.Line, m.Column, m.Wanted, seen)
}

// printSignature prints why a signature was refused, with the request that it should be over.
func printSignature(out io.Writer, s *trellis.ExplainedSignature) {
	fmt.Fprintf(out, "\n%s: %s\n", printableLine(s.Code), printableLine(s.Message))
	if s.AccessKeyID != "" {
		fmt.Fprintf(out, "access key %s, scope %s, signed at %s\n", printableLine(s.AccessKeyID), printableLine(s.Scope), printableLine(s.Timestamp))
	}
	if s.CanonicalRequest == "" {
		return
	}
	fmt.Fprintln(out, "\nThe canonical request that was computed here, values that grant something left out:")
	for l := range strings.SplitSeq(s.CanonicalRequest, "\n") {
		fmt.Fprintln(out, "  "+printableLine(l))
	}
}

// printableLine is a text of a request on one line, without what a terminal would obey.
func printableLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
