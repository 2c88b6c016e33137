package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/daemon"
	"github.com/trellis-project/trellis/lab"
	"github.com/trellis-project/trellis/vpc"
)

// execFlags are the flags of `trellis exec`.
type execFlags struct {
	reach                        reachFlags
	account, vpc, instance, role string
}

// execCommand is `trellis exec`: run a command inside a VPC.
func execCommand() *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:   "exec (--vpc VPC | --instance INSTANCE) [--role ROLE] [--account ACCOUNT] -- COMMAND…",
		Short: "Run a command inside a VPC, as a process of an instance there",
		Long: `Run a command inside a VPC: it sees that VPC's interface, routes and DNS, and the API as
` + daemon.InsideEndpoint + `. TRELLIS_CA names a file with the certificate of Trellis' authority, for HTTPS.

With --vpc alone a throw-away instance is made for the command, with the VPC's default security group; --role is the
role of its metadata endpoint. With --instance the command runs in that instance; --role then gives it a
container-credentials endpoint with a session of the role, which the role's trust policy must allow you to assume.

The exit code is the command's own, 128+n when signal n ended it; 125 means that Trellis could not come so far as to
run it, 126 that it can't be executed, 127 that there is no such command.`,
		Example: `  trellis exec --account 444455556666 --vpc vpc-0client1111aaaa22 --role checkout-service -- bash
  trellis exec --instance i-0123456789abcdef0 -- curl -s http://169.254.169.254/`,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("name a command to run after --"))
			}
			if f.account != "" && !accountID.MatchString(f.account) {
				return usage(fmt.Errorf("--account %q: want an account's id, 12 digits", f.account))
			}
			if f.vpc == "" && f.instance == "" {
				return usage(errors.New("name a VPC with --vpc, or an instance with --instance"))
			}
			err := f.run(cmd.Context(), args)
			var e *exitError
			if err != nil && !errors.As(err, &e) {
				return &exitError{exitExec, err}
			}
			return err
		},
	}
	cmd.Flags().SetInterspersed(false)
	f.reach.bind(cmd)
	cmd.Flags().StringVar(&f.vpc, "vpc", "", "VPC to run in")
	cmd.Flags().StringVar(&f.instance, "instance", "", "instance to run in (default: a throw-away one)")
	cmd.Flags().StringVar(&f.role, "role", "", "name or ARN of the role whose credentials the command finds")
	cmd.Flags().StringVar(&f.account, "account", "", "account that owns the VPC (default: yours)")
	return cmd
}

// run finds or makes the instance and runs the command in it.
func (f *execFlags) run(ctx context.Context, args []string) (err error) {
	if os.Geteuid() != 0 {
		return &exitError{exitMachine, errors.New("exec enters a network namespace: run it as root")}
	}
	accounts, err := f.reach.accounts()
	if err != nil {
		return err
	}
	c, err := accounts.Client(ctx, f.account)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath(args[0]); err != nil && args[0] != "trellis" {
		return &exitError{startCode(err), err}
	}
	env := lab.WithoutProxies(os.Environ()) // nobody's credentials but yours, unless a role is named or the instance may have one
	if f.role != "" || f.instance != "" {
		env = lab.Environment(env)
	}
	env = append(env, "AWS_ENDPOINT_URL="+daemon.InsideEndpoint, "AWS_REGION="+accounts.Region(), "AWS_DEFAULT_REGION="+accounts.Region())
	root, err := c.Root(ctx)
	if err != nil {
		return err
	}
	ca, err := rootFile(root)
	if err != nil {
		return fmt.Errorf("write the authority's certificate: %w", err)
	}
	defer os.Remove(ca)
	env = append(env, "TRELLIS_CA="+ca)
	instance := f.instance
	switch {
	case instance == "":
		instance, err = f.throwAway(ctx, c)
		defer func() {
			if instance == "" {
				return
			}
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_, terminated := c.Call(end, "ec2", "TerminateInstances", map[string]any{"InstanceIds": []any{instance}})
			if terminated != nil && err == nil {
				err = fmt.Errorf("terminate %s: %w", instance, terminated)
			}
		}()
		if err != nil {
			return err
		}
	default:
		if err := f.belongs(ctx, c); err != nil {
			return err
		}
		if f.role != "" {
			more, stop, err := lendRole(ctx, c, instance, f.roleARN(ctx, c))
			if err != nil {
				return err
			}
			defer stop()
			env = append(env, more...)
		}
	}
	return runInside(ctx, instance, args, env)
}

// belongs holds the instance against --vpc.
func (f *execFlags) belongs(ctx context.Context, c *client.Client) error {
	answer, err := c.Call(ctx, "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{f.instance}})
	if err != nil {
		return err
	}
	b, _ := json.Marshal(answer)
	var found struct {
		Reservations []struct{ Instances []struct{ VpcId string } }
	}
	if err := json.Unmarshal(b, &found); err != nil || len(found.Reservations) == 0 || len(found.Reservations[0].Instances) == 0 {
		return fmt.Errorf("instance %s not found", f.instance)
	}
	if in := found.Reservations[0].Instances[0].VpcId; f.vpc != "" && in != f.vpc {
		return fmt.Errorf("instance %s is in %s, not in %s", f.instance, in, f.vpc)
	}
	return nil
}

// throwAway makes an instance for one command and waits until it runs.
func (f *execFlags) throwAway(ctx context.Context, c *client.Client) (string, error) {
	var subnets struct{ Subnets []struct{ SubnetId string } }
	if _, err := c.Call(ctx, "ec2", "DescribeVpcs", map[string]any{"VpcIds": []any{f.vpc}}); err != nil {
		var refused *trellis.Error
		if errors.As(err, &refused) && refused.Code == "InvalidVpcID.NotFound" {
			return "", fmt.Errorf("%w for you; name the account that owns it with --account", err)
		}
		return "", err
	}
	err := callInto(ctx, c, "ec2", "DescribeSubnets", map[string]any{"Filters": []any{map[string]any{"Name": "vpc-id", "Values": []any{f.vpc}}}}, &subnets)
	if err != nil {
		return "", err
	}
	if len(subnets.Subnets) == 0 {
		return "", fmt.Errorf("%s has no subnet to put an instance into; make one: aws ec2 create-subnet --vpc-id %s --cidr-block …", f.vpc, f.vpc)
	}
	in := map[string]any{"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": subnets.Subnets[0].SubnetId,
		"TagSpecifications": []any{map[string]any{"ResourceType": "instance", "Tags": []any{map[string]any{"Key": "Name", "Value": "trellis-exec"}}}}}
	if f.role != "" {
		profile := map[string]any{"Name": trellis.LastPart(f.role)}
		in["IamInstanceProfile"] = profile
	}
	var made struct{ Instances []struct{ InstanceId string } }
	// Not to be interrupted: nobody would know the id of what was made.
	if err := callInto(context.WithoutCancel(ctx), c, "ec2", "RunInstances", in, &made); err != nil {
		return "", err
	}
	if len(made.Instances) != 1 {
		return "", errors.New("RunInstances answered no instance")
	}
	id := made.Instances[0].InstanceId
	for {
		var now struct {
			Reservations []struct {
				Instances []struct{ State struct{ Name string } }
			}
		}
		if err := callInto(ctx, c, "ec2", "DescribeInstances", map[string]any{"InstanceIds": []any{id}}, &now); err != nil {
			return id, err
		}
		if len(now.Reservations) == 1 && now.Reservations[0].Instances[0].State.Name == "running" {
			return id, nil
		}
		select {
		case <-ctx.Done():
			return id, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// callInto calls an operation and decodes its answer.
func callInto(ctx context.Context, c *client.Client, service, operation string, in map[string]any, out any) error {
	answer, err := c.Call(ctx, service, operation, in)
	if err != nil {
		return err
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

// roleARN is the ARN of --role, a name of the account's own.
func (f *execFlags) roleARN(ctx context.Context, c *client.Client) string {
	if strings.HasPrefix(f.role, "arn:") {
		return f.role
	}
	var who struct{ Account string }
	if err := callInto(ctx, c, "sts", "GetCallerIdentity", map[string]any{}, &who); err != nil {
		return f.role
	}
	return trellis.IAMARN(who.Account, "role/"+f.role)
}

// lendRole serves sessions of a role on the container-credentials protocol (AWS SDKs reference guide,
// container credential provider), at a loopback address of the instance itself.
func lendRole(ctx context.Context, c *client.Client, instance, arn string) (env []string, stop func(), err error) {
	if _, err := lab.Assume(ctx, c, arn, "exec"); err != nil {
		return nil, nil, fmt.Errorf("%w; the role must exist and its trust policy allow you; without --role the command has the instance's own role", err)
	}
	token := trellis.RandomHex(32)
	inside, err := vpc.ListenInside(instance, netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return nil, nil, err
	}
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(token)) != 1 {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		s, err := lab.Assume(r.Context(), c, arn, "exec")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"AccessKeyId": s.AccessKeyID, "SecretAccessKey": s.SecretAccessKey.Reveal(),
			"Token": s.SessionToken, "Expiration": time.Now().Add(50 * time.Minute).UTC().Format(time.RFC3339)})
	})}
	go srv.Serve(inside)
	return []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://" + inside.Addr().String() + "/", "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + token},
		func() { srv.Close() }, nil
}

// startCode is the exit code for a command that can't be started.
func startCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return exitNotFound
	}
	return exitNotExecutable
}

// runInside runs a command in an instance with our standard streams, passes signals on, and gives its exit
// code.
func runInside(ctx context.Context, instance string, args, env []string) error {
	if args[0] == "trellis" {
		if self, err := os.Executable(); err == nil {
			args = append([]string{self}, args[1:]...)
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if cmd.Err != nil {
		return &exitError{startCode(cmd.Err), cmd.Err}
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := ctx.Err(); err != nil { // what came before the command's time ends all
		return err
	}
	if err := vpc.Start(instance, cmd); err != nil {
		if failed := new(fs.PathError); errors.As(err, &failed) && failed.Path == cmd.Path {
			return &exitError{startCode(err), err}
		}
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			cmd.Process.Signal(s)
		case err := <-done:
			var exited *exec.ExitError
			if !errors.As(err, &exited) {
				return err
			}
			if ws, ok := exited.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
				return &exitError{128 + int(ws.Signal()), nil}
			}
			return &exitError{exited.ExitCode(), nil}
		}
	}
}
