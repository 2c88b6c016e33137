package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"github.com/trellis-project/trellis/estate"
	"github.com/trellis-project/trellis/lab"
)

// exitDiffers is the exit code of `trellis diff` when files and present state differ, as that of diff(1) is 1: there 1
// is what an error is here.
const exitDiffers = 2

// estateFlags are what apply and diff have in common.
type estateFlags struct {
	reach        reachFlags
	files        []string
	name, output string
	prune        bool
}

// bind adds the flags to a command.
func (f *estateFlags) bind(cmd *cobra.Command) {
	f.reach.bind(cmd)
	cmd.Flags().StringVar(&f.reach.profile, "profile", "", "profile of the credentials file (default: AWS_PROFILE, else default)")
	cmd.Flags().StringArrayVarP(&f.files, "file", "f", nil, "a file, a directory (all *.yaml in it), or - for standard input; may be repeated")
	cmd.Flags().StringVar(&f.name, "estate", "", "name of the estate, which marks what apply makes (default: what the files say, else default)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table, json or yaml")
	cmd.Flags().BoolVar(&f.prune, "prune", false, "delete what an apply of this estate made and the files no longer have")
}

// reader returns a reader of the caller's account, and of others of the organization by OrganizationAccountAccessRole;
// and the ids of the organization's accounts by name, when the caller may list them.
func reader(ctx context.Context, reach *reachFlags) (*estate.Reader, map[string]string, error) {
	accounts, err := reach.accounts()
	if err != nil {
		return nil, nil, err
	}
	return readerOf(ctx, accounts)
}

// readerOf is reader for accounts.
func readerOf(ctx context.Context, accounts *lab.Accounts) (*estate.Reader, map[string]string, error) {
	own, err := accounts.Client(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	who, err := own.Call(ctx, "sts", "GetCallerIdentity", nil)
	if err != nil {
		return nil, nil, err
	}
	r := &estate.Reader{Region: accounts.Region()}
	r.Own, _ = who["Account"].(string)
	r.Accounts = func(ctx context.Context, account string) (estate.Call, error) {
		if account == r.Own {
			account = ""
		}
		c, err := accounts.Client(ctx, account)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, service, operation string, in map[string]any) (map[string]any, error) {
			return c.Call(ctx, service, operation, in)
		}, nil
	}
	r.Unreachable = func(account string, err error) {
		fmt.Fprintf(os.Stderr, "not looked into: account %s: %v\n", account, err)
	}
	names := map[string]string{}
	in := map[string]any{}
	for {
		out, err := own.Call(ctx, "organizations", "ListAccounts", in)
		if err != nil {
			break // no organization, or not its manager: sections say ids then
		}
		list, _ := out["Accounts"].([]any)
		for _, a := range list {
			if m, ok := a.(map[string]any); ok && m["Status"] == "ACTIVE" {
				name, _ := m["Name"].(string)
				names[name], _ = m["Id"].(string)
				if names[name] != r.Own {
					r.Others = append(r.Others, names[name])
				}
			}
		}
		if in["NextToken"] = out["NextToken"]; in["NextToken"] == nil {
			break
		}
	}
	return r, names, nil
}

// plan reads the files and the present state and compares them.
func (f *estateFlags) plan(cmd *cobra.Command) (*estate.Plan, error) {
	if len(f.files) == 0 {
		return nil, usage(errors.New("-f is missing: name a file or directory"))
	}
	if !slices.Contains([]string{"table", "json", "yaml"}, f.output) {
		return nil, usage(fmt.Errorf("-o %q: want table, json or yaml", f.output))
	}
	var files []estate.File
	for _, path := range f.files {
		found, err := estate.Load(path, cmd.InOrStdin())
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	r, names, err := reader(cmd.Context(), &f.reach)
	if err != nil {
		return nil, err
	}
	wanted, err := estate.Parse(files, r.Own, names)
	var wrong estate.Problems
	if errors.As(err, &wrong) {
		return nil, fmt.Errorf("the files are wrong in places (%d), nothing was changed\n%w", len(wrong), err)
	}
	if err != nil {
		return nil, err
	}
	name := f.name
	if name == "" {
		name = wanted.Name
	}
	if name == "" {
		name = "default"
	}
	return r.Plan(cmd.Context(), wanted, name, f.prune)
}

// print prints a plan.
func (f *estateFlags) print(out io.Writer, p *estate.Plan) error {
	if f.output == "table" {
		_, err := io.WriteString(out, p.String())
		return err
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if f.output == "yaml" {
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		return yaml.NewEncoder(out).Encode(v)
	}
	_, err = fmt.Fprintf(out, "%s\n", b)
	return err
}

// applyCommand is `trellis apply`: make what is as files say.
func applyCommand() *cobra.Command {
	var f estateFlags
	var yes, replace bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE|DIR",
		Short: "Make accounts as files say: shows a plan, asks, carries it out",
		Long: `Make accounts as files say (docs/estate.md). The present state is read and compared, the plan is shown, and carried out after
a yes: things after those that they refer to, waiting until each is there. A second apply has nothing to change; after an
interruption or error the next one goes on. Nothing is deleted without --prune, and nothing is replaced without --replace.`,
		Example: `  trellis apply -f orders.yaml
  trellis apply -f estate/ --prune --yes
  trellis export | trellis --endpoint http://other:4780 apply -f - --yes`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asking := !yes && terminal(os.Stdin) && !slices.Contains(f.files, "-")
			if !yes && !asking {
				return usage(errors.New("nobody can be asked here: look at the plan with trellis diff, then apply with --yes"))
			}
			p, err := f.plan(cmd)
			if err != nil {
				return err
			}
			if err := f.print(cmd.OutOrStdout(), p); err != nil || p.Empty() {
				return err
			}
			if n := p.Count(estate.Replace); n > 0 && !replace {
				return fmt.Errorf("%d things must be deleted and made again, since members differ that AWS can't change: apply with --replace, or take the members back", n)
			}
			if asking && !confirmed(cmd) {
				return errors.New("nothing was changed")
			}
			return carryOut(cmd, p)
		},
	}
	f.bind(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	cmd.Flags().BoolVar(&replace, "replace", false, "delete and make again what differs in members that AWS can't change")
	return cmd
}

// carryOut applies a plan and tells of its progress on standard error.
func carryOut(cmd *cobra.Command, p *estate.Plan) error {
	began := time.Now()
	done := 0
	err := p.Apply(cmd.Context(), func(e estate.Event) {
		if e.Err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "failed: %s %s: %v\n", e.Step.Kind, e.Step.Name, e.Err)
			return
		}
		done++
		fmt.Fprintf(cmd.ErrOrStderr(), "%s\n", e.Text)
	})
	if err != nil {
		return fmt.Errorf("not all was carried out; apply again goes on from here\n%w", err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "done: %d calls for %d things in %s\n", done, len(p.Steps), time.Since(began).Round(100*time.Millisecond))
	return nil
}

// confirmed asks on the terminal.
func confirmed(cmd *cobra.Command) bool {
	fmt.Fprint(cmd.ErrOrStderr(), "Carry this out? Only yes does: ")
	line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	return strings.TrimSpace(line) == "yes"
}

// terminal tells whether a file is one.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// diffCommand is `trellis diff`: what apply would do.
func diffCommand() *cobra.Command {
	var f estateFlags
	cmd := &cobra.Command{
		Use:   "diff -f FILE|DIR",
		Short: "Show what apply would do; exit code 0: nothing, 2: something, 1: error",
		Args: func(cmd *cobra.Command, args []string) error {
			return failedNotUsage(noArguments(cmd, args))
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := f.plan(cmd)
			if err != nil {
				return failedNotUsage(err)
			}
			if err := f.print(cmd.OutOrStdout(), p); err != nil {
				return err
			}
			if !p.Empty() {
				return &exitError{exitDiffers, nil}
			}
			return nil
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return failedNotUsage(err) })
	f.bind(cmd)
	return cmd
}

// failedNotUsage gives wrong arguments the exit code of an error, for a verb whose exit code 2 means something else.
func failedNotUsage(err error) error {
	if err == nil {
		return nil
	}
	var e *exitError
	if errors.As(err, &e) && e.code == exitUsage {
		return &exitError{exitFailed, fmt.Errorf("%w; see: trellis diff --help", e.err)}
	}
	return err
}

// exportCommand is `trellis export`: the present state as files.
func exportCommand() *cobra.Command {
	var reach reachFlags
	var sel estate.Selection
	var accounts []string
	var all bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print the present state as a file that apply takes",
		Example: `  trellis export >estate.yaml
  trellis export --all-accounts
  trellis export --account payments --kind Service --name orders`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, k := range sel.Kinds {
				if !slices.Contains(estate.Kinds(), k) {
					return usage(fmt.Errorf("--kind %q: want one of %s", k, strings.Join(estate.Kinds(), ", ")))
				}
			}
			r, names, err := reader(cmd.Context(), &reach)
			if err != nil {
				return err
			}
			if sel.Accounts, err = chosen(r.Own, accounts, all, names); err != nil {
				return err
			}
			writeCode(cmd, &sel)
			out, err := r.Export(cmd.Context(), sel)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(out)
			return err
		},
	}
	reach.bind(cmd)
	cmd.Flags().StringVar(&reach.profile, "profile", "", "profile of the credentials file (default: AWS_PROFILE, else default)")
	cmd.Flags().StringArrayVar(&accounts, "account", nil, "an account by id or name; may be repeated (default: yours)")
	cmd.Flags().BoolVar(&all, "all-accounts", false, "all accounts of the organization")
	bindSelection(cmd, &sel)
	return cmd
}

// bindSelection adds the flags that choose what is written.
func bindSelection(cmd *cobra.Command, sel *estate.Selection) {
	cmd.Flags().StringArrayVar(&sel.Kinds, "kind", nil, "only this kind; may be repeated")
	cmd.Flags().StringVar(&sel.Name, "name", "", "only what has this name")
	cmd.Flags().StringVar(&sel.Estate, "estate", "", "a name that the file gives the estate")
	cmd.Flags().StringVar(&sel.Code, "code", "", "a directory to write the code of functions into, where the file is to stand beside it (default: none is written)")
}

// maxCode is how many bytes the code of a function may have (Lambda developer guide, quotas).
const maxCode = 250 << 20

// writeCode lets an export fetch the code of functions, and say what it leaves out.
func writeCode(cmd *cobra.Command, sel *estate.Selection) {
	sel.LeftOut = func(format string, args ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), "left out: "+format+"\n", args...)
	}
	sel.Fetch = func(ctx context.Context, url string) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }() // nothing is left to lose
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("getting it: %s", response.Status)
		}
		return io.ReadAll(io.LimitReader(response.Body, maxCode))
	}
}

// chosen are the accounts to export, the caller's first and the others by id.
func chosen(own string, accounts []string, all bool, names map[string]string) ([]string, error) {
	var ids []string
	for _, a := range accounts {
		if id, ok := names[a]; ok {
			a = id
		}
		if !accountID.MatchString(a) {
			return nil, usage(fmt.Errorf("--account %q: want an account's id or the name of one of the organization: aws organizations list-accounts", a))
		}
		ids = append(ids, a)
	}
	if all {
		ids = append(ids, own)
		for _, id := range names {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		ids = []string{own}
	}
	slices.SortFunc(ids, func(a, b string) int {
		if (a == own) != (b == own) {
			if a == own {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(ids), nil
}
