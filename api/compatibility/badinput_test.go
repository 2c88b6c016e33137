//go:build thorough

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis/sigv4"
)

// wireText is a request as it goes over a connection: the test changes its parts before or after it is signed.
type wireText struct {
	method, path, body string
	service            string
	header             []string  // further lines, signed
	unsigned           []string  // further lines, not signed
	at                 time.Time // of the signature; zero: now
	length             string    // Content-Length, when it is not the body's
	edit               func(string) string
}

// bytes is the text for a host.
func (r wireText) bytes(host string) string {
	path, query, _ := strings.Cut(r.path, "?")
	signed := &sigv4.Request{Method: r.method, Path: path, RawQuery: query, Host: host}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", r.method, r.path, host)
	for _, line := range r.header {
		name, value, _ := strings.Cut(line, ": ")
		signed.Headers = append(signed.Headers, sigv4.Field{Name: name, Value: value})
		head += line + "\r\n"
	}
	if r.at.IsZero() {
		r.at = time.Now()
	}
	for _, f := range sigv4.Sign(signed, "AKIA"+owner, secret, "", region, r.service, sigv4.HashPayload([]byte(r.body)), r.at) {
		head += f.Name + ": " + f.Value + "\r\n"
	}
	for _, line := range r.unsigned {
		head += line + "\r\n"
	}
	if r.length == "" {
		r.length = fmt.Sprintf("Content-Length: %d", len(r.body))
	}
	text := head + r.length + "\r\n\r\n" + r.body
	if r.edit != nil {
		text = r.edit(text)
	}
	return text
}

// TestBadInput sends what no client would send: each is answered with a status of 4xx that says what is wrong, on a
// connection that is not closed before, and nothing is changed.
func TestBadInput(t *testing.T) {
	w, _ := start(t, false)
	host := strings.TrimPrefix(w.url, "http://")
	const arrays, objects = 10_000, 9_999
	create := func(body string) wireText {
		return wireText{method: "POST", path: "/services", service: "vpc-lattice", header: []string{"Content-Type: application/json"}, body: body}
	}
	typed := func(service, path, contentType, body string, more ...string) wireText {
		return wireText{method: "POST", path: path, service: service, header: append(more, "Content-Type: "+contentType), body: body}
	}
	dated := func(d time.Duration) wireText {
		r := create(`{"name":"late"}`)
		r.at = time.Now().Add(d)
		return r
	}
	edited := func(from, to string) wireText {
		r := create(`{"name":"edited"}`)
		r.edit = func(s string) string { return strings.Replace(s, from, to, 1) }
		return r
	}
	const target = "X-Amz-Target: Logs_20140328.CreateLogGroup"
	large := create(`{"name":"` + strings.Repeat("a", 10<<20) + `"}`)
	for name, test := range map[string]struct {
		request wireText
		want    string // status and a part of header and body
	}{
		"XML for JSON":               {typed("vpc-lattice", "/services", "text/xml", `{"name":"typed"}`), "415 UnsupportedMediaTypeException"},
		"a form for JSON":            {typed("vpc-lattice", "/services", "application/x-www-form-urlencoded", `{"name":"typed"}`), "415 UnsupportedMediaTypeException"},
		"a form for awsJson":         {typed("logs", "/", "application/x-www-form-urlencoded", `{"logGroupName":"typed"}`, target), "400 SerializationException"},
		"JSON for a form":            {typed("iam", "/", "application/json", `Action=CreateUser&Version=2010-05-08&UserName=typed`), "400 MalformedInput"},
		"JSON for EC2":               {typed("ec2", "/", "application/json", `Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0/16`), "400 MalformedQueryString"},
		"a name twice":               {create(`{"name":"one","name":"two"}`), "400 cannotParse"},
		"a name twice, below":        {create(`{"name":"one","tags":{"a":"b","\u0061":"c"}}`), "400 cannotParse"},
		"a name twice for awsJson":   {typed("logs", "/", "application/x-amz-json-1.1", `{"logGroupName":"a","logGroupName":"b"}`, target), "400 SerializationException"},
		"ten thousand lists":         {create(`{"name":"deep","x":` + strings.Repeat("[", arrays) + strings.Repeat("]", arrays) + `}`), "400 cannotParse"},
		"ten thousand objects":       {create(strings.Repeat(`{"a":`, objects) + "1" + strings.Repeat("}", objects)), "400 cannotParse"},
		"lists without an end":       {create(`{"name":"deep","tags":` + strings.Repeat("[", 500_000)), "400 cannotParse"},
		"a deep name of a form":      {typed("iam", "/", "application/x-www-form-urlencoded", "Action=CreateUser&UserName=deep&Tags"+strings.Repeat(".1", 10_000)+"=x"), "400 MalformedInput"},
		"ten megabytes":              {large, "413 RequestEntityTooLargeException"},
		"no UTF-8":                   {create("{\"name\":\"a\xffb\"}"), "400 cannotParse"},
		"no UTF-8 in a member":       {create("{\"name\":\"utf\",\"tags\":{\"k\":\"\xc3\x28\"}}"), "400 cannotParse"},
		"no UTF-8 in a path":         {wireText{method: "GET", path: "/services/%ff%fe%fd", service: "vpc-lattice"}, "400 serviceIdentifier"},
		"no UTF-8 in a query":        {wireText{method: "GET", path: "/services?nextToken=%ff", service: "vpc-lattice"}, "400 nextToken"},
		"no UTF-8 in a form":         {typed("iam", "/", "application/x-www-form-urlencoded", "Action=CreateUser&UserName=%ff"), "400 userName"},
		"a broken escape":            {wireText{method: "GET", path: "/services?nextToken=%zz", service: "vpc-lattice"}, "400 cannotParse"},
		"garbage behind":             {create(`{"name":"garbage"} x`), "400 cannotParse"},
		"two objects":                {create(`{"name":"garbage"}{"name":"other"}`), "400 cannotParse"},
		"a list":                     {create(`[{"name":"garbage"}]`), "400 cannotParse"},
		"half an object":             {create(`{"name":"half`), "400 cannotParse"},
		"a NUL":                      {create("{\"name\":\"nul\x00\"}"), "400 cannotParse"},
		"an encoded NUL":             {create(`{"name":"nul\u0000"}`), "400 fieldValidationFailed"},
		"another operation's path":   {wireText{method: "PATCH", path: "/services", service: "vpc-lattice", body: "{}"}, "404 UnknownOperationException"},
		"an unknown target":          {typed("logs", "/", "application/x-amz-json-1.1", "{}", "X-Amz-Target: Logs_20140328.Nothing"), "400 UnknownOperationException"},
		"no target":                  {typed("logs", "/", "application/x-amz-json-1.1", "{}"), "400 UnknownOperationException"},
		"no action":                  {typed("iam", "/", "application/x-www-form-urlencoded", "UserName=a"), "400 InvalidAction"},
		"another service's path":     {wireText{method: "GET", path: "/services", service: "ram"}, "404 UnknownOperationException"},
		"an unknown service":         {wireText{method: "GET", path: "/services", service: "nothing"}, "404 UnknownOperationException"},
		"a method of its own":        {wireText{method: "BREW", path: "/services", service: "vpc-lattice"}, "404 UnknownOperationException"},
		"OPTIONS":                    {wireText{method: "OPTIONS", path: "/services", service: "vpc-lattice"}, "404 UnknownOperationException"},
		"dots in a path":             {wireText{method: "GET", path: "/services/../services", service: "vpc-lattice"}, "404 UnknownOperationException"},
		"an hour late":               {dated(-time.Hour), "403 Signature expired"},
		"an hour early":              {dated(time.Hour), "403 Signature not yet current"},
		"a day that is over":         {dated(-48 * time.Hour), "403 Signature expired"},
		"no date":                    {edited("X-Amz-Date", "X-Amz-Other"), "403 IncompleteSignatureException"},
		"a date that is none":        {edited("X-Amz-Date: 2", "X-Amz-Date: x"), "403 IncompleteSignatureException"},
		"another algorithm":          {edited("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5"), "403 IncompleteSignatureException"},
		"half a credential":          {edited("/aws4_request", ""), "403 IncompleteSignatureException"},
		"another region":             {edited("/"+region+"/", "/us-east-1/"), "403 Credential should be scoped to a valid region"},
		"another host":               {edited("Host: "+host, "Host: other"), "403 InvalidSignatureException"},
		"a header twice":             {edited("Host: ", "X-Amz-Date: 20260101T000000Z\r\nHost: "), "403 "},
		"a changed body":             {edited(`"edited"`, `"EDITED"`), "403 InvalidSignatureException"},
		"an unsigned body":           {edited("X-Amz-Content-Sha256: ", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\nX-Old: "), "403 "},
		"a body that ends early":     {wireText{method: "POST", path: "/services", service: "vpc-lattice", body: `{"name":"half"}`, length: "Content-Length: 100"}, "400 SerializationException"},
		"chunks that end early":      {wireText{method: "POST", path: "/services", service: "vpc-lattice", body: "20\r\n{}", length: "Transfer-Encoding: chunked"}, "400 SerializationException"},
		"a length that is no number": {wireText{method: "POST", path: "/services", service: "vpc-lattice", length: "Content-Length: ten"}, "400 "},
		"two lengths":                {wireText{method: "POST", path: "/services", service: "vpc-lattice", body: "{}", length: "Content-Length: 2\r\nContent-Length: 3"}, "400 "},
		"a coding that nobody knows": {wireText{method: "POST", path: "/services", service: "vpc-lattice", length: "Transfer-Encoding: gzip, chunked"}, "501 "},
		"no host":                    {edited("Host: "+host+"\r\n", ""), "400 "},
		"a head of a megabyte":       {wireText{method: "GET", path: "/services", service: "vpc-lattice", unsigned: []string{"X-Long: " + strings.Repeat("a", 1<<20)}}, "431 "},
		"a space in a name":          {wireText{method: "GET", path: "/services", service: "vpc-lattice", unsigned: []string{"X Long: a"}}, "400 "},
		"no HTTP":                    {edited("POST /services HTTP/1.1", "HELLO"), "400 "},
	} {
		t.Run(name, func(t *testing.T) {
			before := revision(t)
			conn, err := net.Dial("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = io.WriteString(conn, test.request.bytes(host)) // the server may have answered before it has all
				_ = conn.(*net.TCPConn).CloseWrite()
			}()
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			conn.Close()
			<-sent
			if err != nil {
				t.Fatal(err)
			}
			got := response.Header.Get("x-amzn-ErrorType") + " " + string(body)
			status, part, _ := strings.Cut(test.want, " ")
			if fmt.Sprint(response.StatusCode) != status || !strings.Contains(got, part) {
				t.Errorf("got %d %.300s, want %s", response.StatusCode, got, test.want)
			}
			if after := revision(t); after != before {
				t.Errorf("the store went from revision %d to %d", before, after)
			}
		})
	}
}

// TestTokensOfAccounts replays a client token: in its own account it is the same request, in another one a new one.
func TestTokensOfAccounts(t *testing.T) {
	w, _ := start(t, false)
	ids := map[string]bool{}
	for _, test := range []struct {
		account, name string
		ids           int
		code          string
	}{{"121212121212", "one", 1, ""}, {"121212121212", "one", 1, ""}, {"343434343434", "one", 2, ""}, {"343434343434", "two", 2, "ConflictException"}, {"121212121212", "one", 2, ""}} {
		out, err := w.as(t, test.account).Call(t.Context(), "vpc-lattice", "CreateServiceNetwork", map[string]any{"name": test.name, "clientToken": "the-same"})
		if (err != nil) != (test.code != "") || err != nil && !strings.Contains(err.Error(), test.code) {
			t.Errorf("%s %s: %v, want %q", test.account, test.name, err, test.code)
		}
		if err == nil {
			ids[out["id"].(string)] = true
		}
		if len(ids) != test.ids {
			t.Errorf("%s %s: %d networks, want %d", test.account, test.name, len(ids), test.ids)
		}
	}
}
