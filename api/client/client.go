// Package client calls the AWS APIs on the wire: the CLI's verbs and the lab's scenarios are clients like any
// other. It signs with SigV4 and speaks each service's protocol by the same struct tags as the server.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/accessanalyzer"
	"github.com/trellis-project/trellis/api/acm"
	"github.com/trellis-project/trellis/api/cloudtrail"
	"github.com/trellis-project/trellis/api/cloudwatch"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/api/eks"
	"github.com/trellis-project/trellis/api/eksauth"
	"github.com/trellis-project/trellis/api/elbv2"
	"github.com/trellis-project/trellis/api/firehose"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/api/kms"
	"github.com/trellis-project/trellis/api/lambda"
	"github.com/trellis-project/trellis/api/logs"
	"github.com/trellis-project/trellis/api/organizations"
	"github.com/trellis-project/trellis/api/ram"
	"github.com/trellis-project/trellis/api/rolesanywhere"
	"github.com/trellis-project/trellis/api/route53"
	"github.com/trellis-project/trellis/api/s3"
	"github.com/trellis-project/trellis/api/servicequotas"
	"github.com/trellis-project/trellis/api/ssm"
	"github.com/trellis-project/trellis/api/sts"
	"github.com/trellis-project/trellis/api/tagging"
	"github.com/trellis-project/trellis/api/vpclattice"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/sigv4"
)

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 64 << 20

// Credentials are an access key, or a session's with its token.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey trellis.Secret
	SessionToken    string
}

// Client calls one endpoint as one caller. It is safe for concurrent use.
type Client struct {
	// HTTP carries the requests. It may be replaced before the first call, for example by one whose
	// connections begin inside a VPC.
	HTTP *http.Client

	endpoint    *url.URL
	credentials Credentials
	region      string

	mu     sync.Mutex
	codecs map[string]*wire.Codec // by folder
}

// New returns a client. endpoint is for example http://127.0.0.1:4780.
func New(endpoint string, credentials Credentials, region string) (*Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("endpoint %q is not the URL of a server", endpoint)
	}
	return &Client{HTTP: &http.Client{Timeout: time.Minute}, endpoint: u, credentials: credentials, region: region, codecs: map[string]*wire.Codec{}}, nil
}

// As returns a client of the same endpoint for another caller.
func (c *Client) As(credentials Credentials) *Client {
	return &Client{HTTP: c.HTTP, endpoint: c.endpoint, credentials: credentials, region: c.region, codecs: map[string]*wire.Codec{}}
}

// Answer is what came back besides the output.
type Answer struct {
	Status    int
	RequestID string
	Revision  trellis.Revision // 0 when nothing was written
}

// models are all services that can be called.
func models() []*wire.Model {
	return []*wire.Model{
		accessanalyzer.Model(),
		acm.Model(),
		cloudtrail.Model(),
		cloudwatch.Model(),
		ec2.Model(),
		eks.Model(),
		eksauth.Model(),
		elbv2.Model(),
		firehose.Model(),
		iam.Model(),
		kms.Model(),
		lambda.Model(),
		logs.Model(),
		organizations.Model(),
		ram.Model(),
		rolesanywhere.Model(),
		route53.Model(),
		s3.Model(),
		servicequotas.Model(),
		ssm.Model(),
		sts.Model(),
		tagging.Model(),
		vpclattice.Model(),
	}
}

// Knows tells whether a service, by its folder or signing name, can be called.
func Knows(service string) bool {
	return slices.ContainsFunc(models(), func(m *wire.Model) bool { return m.Folder == service || m.SigningName == service })
}

// codec finds a service by its folder or signing name, for example vpc-lattice.
func (c *Client) codec(service string) (*wire.Codec, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if codec := c.codecs[service]; codec != nil {
		return codec, nil
	}
	for _, m := range models() {
		if m.Folder != service && m.SigningName != service {
			continue
		}
		codec, err := wire.NewCodec(m)
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", service, err)
		}
		c.codecs[service] = codec
		return codec, nil
	}
	return nil, fmt.Errorf("there is no service %s", service)
}

// Call calls an operation, for example "vpc-lattice", "CreateService". The input is a map under AWS's member
// names (a missing client token is made up), or a pointer to the operation's generated input struct, or nil.
// The output has AWS's member names, and times as texts. An error of the server is a *trellis.Error.
func (c *Client) Call(ctx context.Context, service, operation string, input any) (map[string]any, error) {
	codec, op, out, _, err := c.send(ctx, service, operation, input)
	if err != nil {
		return nil, err
	}
	return codec.Map(op, out), nil
}

// Do is Call with the generated struct as output.
func Do[Out any](ctx context.Context, c *Client, service, operation string, input any) (*Out, Answer, error) {
	_, op, out, answer, err := c.send(ctx, service, operation, input)
	if err != nil {
		return nil, answer, err
	}
	typed, ok := out.(*Out)
	if !ok {
		return nil, answer, fmt.Errorf("the output of %s is %s, not %T", operation, op.Out, typed)
	}
	return typed, answer, nil
}

// send calls an operation.
func (c *Client) send(ctx context.Context, service, operation string, input any) (*wire.Codec, *wire.Operation, any, Answer, error) {
	var answer Answer
	codec, err := c.codec(service)
	if err != nil {
		return nil, nil, nil, answer, err
	}
	op, ok := codec.Model.Operation(operation)
	if !ok {
		return nil, nil, nil, answer, fmt.Errorf("%s has no operation %s", service, operation)
	}
	switch m := input.(type) {
	case nil:
		input, err = codec.InputOf(op, map[string]any{}, rand.Text)
	case map[string]any:
		input, err = codec.InputOf(op, m, rand.Text)
	}
	if err != nil {
		return nil, nil, nil, answer, err
	}
	response, err := c.exchange(ctx, codec.Model.SigningName, codec.EncodeInput(op, input))
	if err != nil {
		return nil, nil, nil, answer, fmt.Errorf("%s: %w", operation, err)
	}
	answer.Status, answer.RequestID = response.Status, response.Header["X-Amzn-Requestid"]
	answer.Revision, _ = strconv.ParseInt(response.Header["X-Trellis-Revision"], 10, 64)
	if response.Status >= 300 {
		return nil, nil, nil, answer, codec.DecodeError(response)
	}
	out, err := codec.DecodeOutput(op, response)
	return codec, op, out, answer, err
}

// exchange signs a request, sends it and reads the answer.
func (c *Client) exchange(ctx context.Context, signingName string, r *wire.Request) (*wire.Response, error) {
	path := strings.TrimSuffix(c.endpoint.EscapedPath(), "/") + r.Path
	hash := sigv4.HashPayload(r.Body)
	signed := &sigv4.Request{Method: r.Method, Path: path, RawQuery: r.RawQuery, Host: c.endpoint.Host}
	for k, v := range r.Header {
		signed.Headers = append(signed.Headers, sigv4.Field{Name: k, Value: v[0]})
	}
	u := c.endpoint.Scheme + "://" + c.endpoint.Host + path
	if r.RawQuery != "" {
		u += "?" + r.RawQuery
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, u, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for k, v := range r.Header {
		request.Header[k] = v
	}
	for _, f := range sigv4.Sign(signed, c.credentials.AccessKeyID, c.credentials.SecretAccessKey.Reveal(), c.credentials.SessionToken, c.region, signingName, hash, time.Now()) {
		if !strings.EqualFold(f.Name, "host") {
			request.Header.Set(f.Name, f.Value)
		}
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // nothing is left to lose
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errors.New("the answer is too large")
	}
	out := &wire.Response{Status: response.StatusCode, Header: map[string]string{}, Body: body}
	for k, v := range response.Header {
		out.Header[k] = v[0]
	}
	return out, nil
}
