package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/lab"
	"github.com/trellis-project/trellis/sigv4"
)

// requestFlags are the flags of `trellis request`.
type requestFlags struct {
	method, data, region, output string
	headers                      []string
	sign                         bool
	count                        int
	timeout                      time.Duration
}

// requestCommand is `trellis request`: HTTP requests signed as callers of VPC Lattice sign them, with the
// credentials that an SDK would find.
func requestCommand() *cobra.Command {
	var f requestFlags
	cmd := &cobra.Command{
		Use:   "request URL",
		Short: "Send HTTP requests, signed for VPC Lattice with --sign, and count what they give",
		Long: `Send HTTP requests, signed for VPC Lattice with --sign, and count what they give.

Credentials are looked for where SDKs look: AWS_ACCESS_KEY_ID…, the shared credentials file, the container endpoint,
instance metadata. The exit code is 0 when every request was answered, whatever the status, and 1 when one was not.`,
		Example: `  trellis exec --instance i-0123456789abcdef0 -- trellis request --sign http://orders-….on.aws/v1/orders/42
  trellis request --count 1000 -o json http://127.0.0.1:8080/`,
		Args: oneArgument("a URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.output != "text" && f.output != "json" {
				return usage(fmt.Errorf("-o %q: want text or json", f.output))
			}
			if f.count < 1 {
				return usage(fmt.Errorf("--count %d: want 1 or more", f.count))
			}
			if u, err := url.Parse(args[0]); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				return usage(fmt.Errorf("%q: want a URL, http://HOST/PATH", args[0]))
			}
			if !methodForm.MatchString(f.method) {
				return usage(fmt.Errorf("-X %q: want a method, for example POST", f.method))
			}
			fields, err := headerFields(f.headers)
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), cmd.OutOrStdout(), args[0], fields)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.method, "request", "X", http.MethodGet, "method")
	fl.StringVarP(&f.data, "data", "d", "", "body")
	fl.StringArrayVarP(&f.headers, "header", "H", nil, "a header, \"name: value\"")
	fl.BoolVar(&f.sign, "sign", false, "sign with SigV4 for vpc-lattice-svcs")
	fl.IntVar(&f.count, "count", 1, "how many requests")
	fl.DurationVar(&f.timeout, "timeout", 3*time.Second, "how long to wait for an answer")
	fl.StringVar(&f.region, "region", cmp.Or(os.Getenv("AWS_REGION"), "eu-west-1"), "region to sign for")
	fl.StringVarP(&f.output, "output", "o", "text", "text (the answer's status, headers and body; a table of counts with --count) or json (counts)")
	return cmd
}

// methodForm is a token, which a method is (RFC 9110 section 5.6.2).
var methodForm = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

// headerFields reads headers of the form "name: value".
func headerFields(headers []string) ([]sigv4.Field, error) {
	var fields []sigv4.Field
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, usage(fmt.Errorf("-H %q: want \"name: value\"", h))
		}
		fields = append(fields, sigv4.Field{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return fields, nil
}

// run sends the requests and prints what they gave.
func (f *requestFlags) run(ctx context.Context, out io.Writer, url string, fields []sigv4.Field) error {
	hc := &http.Client{Timeout: f.timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{}}
	defer hc.CloseIdleConnections()
	var creds *credentials
	if f.sign {
		var err error
		if creds, err = findCredentials(ctx); err != nil {
			return err
		}
	}
	got := lab.Outcome{Requests: f.count, Statuses: map[int]int{}, Bodies: map[string]int{}, Errors: map[string]int{}}
	var last *http.Response
	var body []byte
	for range f.count {
		res, b, err := f.send(ctx, hc, url, fields, creds)
		var ne net.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &ne) && ne.Timeout():
			got.Timeouts++
		case err != nil:
			got.Errors[err.Error()]++
		default:
			got.Statuses[res.StatusCode]++
			line, _, _ := strings.Cut(string(b), "\n")
			got.Bodies[line]++
			last, body = res, b
		}
	}
	switch {
	case f.output == "json":
		if err := json.NewEncoder(out).Encode(got); err != nil {
			return err
		}
	case f.count > 1:
		printOutcome(out, got)
	case last != nil:
		fmt.Fprintf(out, "%s %s\n", last.Proto, last.Status)
		names := make([]string, 0, len(last.Header))
		for n := range last.Header {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			fmt.Fprintf(out, "%s: %s\n", n, strings.Join(last.Header[n], ", "))
		}
		fmt.Fprintf(out, "\n%s\n", bytes.TrimRight(body, "\n"))
		if id := last.Header.Get("x-amzn-requestid"); last.StatusCode == http.StatusForbidden && id != "" {
			fmt.Fprintf(os.Stderr, "Why? Whoever owns the service or its network is told by: trellis explain %s\n", id)
		}
	}
	if got.Timeouts == f.count {
		return fmt.Errorf("no answer from %s in %s: is the VPC associated, does the association's security group allow it, is the service in the network?", url, f.timeout)
	}
	for text, n := range got.Errors {
		return fmt.Errorf("%s (%d of %d)", text, n, f.count)
	}
	if got.Timeouts > 0 {
		return fmt.Errorf("no answer in %s to %d of %d requests", f.timeout, got.Timeouts, f.count)
	}
	return nil
}

// printOutcome prints what many requests gave as a table.
func printOutcome(out io.Writer, got lab.Outcome) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "COUNT\tKIND\tWHAT")
	for _, status := range slices.Sorted(maps.Keys(got.Statuses)) {
		fmt.Fprintf(w, "%d\tstatus\t%d\n", got.Statuses[status], status)
	}
	for _, body := range slices.Sorted(maps.Keys(got.Bodies)) {
		fmt.Fprintf(w, "%d\tbody\t%s\n", got.Bodies[body], body)
	}
	for _, text := range slices.Sorted(maps.Keys(got.Errors)) {
		fmt.Fprintf(w, "%d\terror\t%s\n", got.Errors[text], text)
	}
	if got.Timeouts > 0 {
		fmt.Fprintf(w, "%d\ttime-out\t-\n", got.Timeouts)
	}
	_ = w.Flush() // to a terminal or a file: nobody could be told
}

// send sends one request and reads its answer.
func (f *requestFlags) send(ctx context.Context, hc *http.Client, url string, fields []sigv4.Field, creds *credentials) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, f.method, url, strings.NewReader(f.data))
	if err != nil {
		return nil, nil, err
	}
	if creds != nil {
		r := sigv4.Request{Method: f.method, Path: req.URL.EscapedPath(), RawQuery: req.URL.RawQuery, Host: req.URL.Host, Headers: fields}
		if r.Path == "" {
			r.Path = "/"
		}
		fields = append(slices.Clip(fields), sigv4.Sign(&r, creds.AccessKeyID, creds.SecretAccessKey, creds.Token, f.region, "vpc-lattice-svcs", "UNSIGNED-PAYLOAD", time.Now())...)
	}
	for _, h := range fields {
		if strings.EqualFold(h.Name, "host") {
			req.Host = h.Value
			continue
		}
		req.Header.Add(h.Name, h.Value)
	}
	res, err := hc.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res, b, err
}

// credentials are what an SDK would sign with.
type credentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
}

// findCredentials looks where SDKs look: the environment, the shared credentials file, the container endpoint,
// instance metadata (AWS SDKs reference guide, "credential provider chain").
func findCredentials(ctx context.Context) (*credentials, error) {
	if id := os.Getenv("AWS_ACCESS_KEY_ID"); id != "" {
		return &credentials{id, os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")}, nil
	}
	file := os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
	if home, err := os.UserHomeDir(); file == "" && err == nil {
		file = filepath.Join(home, ".aws", "credentials")
	}
	c, err := client.LoadCredentials(file, cmp.Or(os.Getenv("AWS_PROFILE"), "default"))
	if err == nil {
		return &credentials{c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) && os.Getenv("AWS_SHARED_CREDENTIALS_FILE") != "" {
		return nil, err // a file that was named and can't be used is a mistake
	}
	if uri := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"); uri != "" {
		return fetchCredentials(ctx, uri, "Authorization", os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
	}
	const imds = "http://169.254.169.254/latest/"
	token, err := fetch(ctx, http.MethodPut, imds+"api/token", "X-aws-ec2-metadata-token-ttl-seconds", "21600")
	if err != nil {
		return nil, fmt.Errorf("no credentials in the environment, the shared credentials file and instance metadata: %w; run it by trellis exec with --role, or set AWS_SHARED_CREDENTIALS_FILE", err)
	}
	const path = imds + "meta-data/iam/security-credentials/"
	role, err := fetch(ctx, http.MethodGet, path, "X-aws-ec2-metadata-token", string(token))
	if err != nil {
		return nil, fmt.Errorf("the instance has no role: %w", err)
	}
	return fetchCredentials(ctx, path+string(role), "X-aws-ec2-metadata-token", string(token))
}

// fetchCredentials reads credentials in the form that containers and instances get them.
func fetchCredentials(ctx context.Context, url, header, value string) (*credentials, error) {
	b, err := fetch(ctx, http.MethodGet, url, header, value)
	if err != nil {
		return nil, err
	}
	var c struct {
		credentials
		Code, Message string
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("credentials from %s: %w", url, err)
	}
	if c.AccessKeyID == "" {
		return nil, fmt.Errorf("credentials from %s: %s: %s", url, c.Code, c.Message)
	}
	return &c.credentials, nil
}

// fetch gets a small text.
func fetch(ctx context.Context, method, url, header, value string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set(header, value)
	direct := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // link-local addresses: a proxy knows others
	res, err := direct.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, url, res.Status)
	}
	return b, err
}
