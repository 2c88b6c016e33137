// Command signer signs the requests that it reads with aws-sdk-go-v2; see ../../../signers/signers_test.go for the form
// of both.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// job is what is read.
type job struct {
	Key, Secret, Service, Region, Time string
	Cases                              []request
}

// request is one request to sign.
type request struct {
	Name, Method, Host, Target, Body, Payload, Token string
	Headers                                          [][2]string
	Presign                                          bool
}

// signed is one request as it goes to the wire.
type signed struct {
	Name    string      `json:"name"`
	Path    string      `json:"path"`
	Query   string      `json:"query"`
	Headers [][2]string `json:"headers"`
	Error   string      `json:"error,omitempty"`
}

// main signs all.
func main() {
	var in job
	check(json.NewDecoder(os.Stdin).Decode(&in))
	out := struct {
		Generator string   `json:"generator"`
		Cases     []signed `json:"cases"`
	}{Generator: "aws-sdk-go-v2 " + aws.SDKVersion}
	for _, r := range in.Cases {
		s, err := sign(&in, &r)
		if err != nil {
			s = signed{Name: r.Name, Error: err.Error()}
		}
		out.Cases = append(out.Cases, s)
	}
	check(json.NewEncoder(os.Stdout).Encode(out))
}

// sign signs one.
func sign(in *job, r *request) (signed, error) {
	at, err := time.Parse("20060102T150405Z", in.Time)
	check(err)
	target := r.Target
	if r.Presign {
		target += map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")] + "X-Amz-Expires=300"
	}
	req, err := http.NewRequest(r.Method, "http://"+r.Host+target, strings.NewReader(r.Body))
	if err != nil {
		return signed{}, err
	}
	if r.Body == "" {
		req.ContentLength = 0
	}
	for _, h := range r.Headers {
		req.Header.Add(h[0], h[1])
	}
	sum := sha256.Sum256([]byte(r.Body))
	hash := hex.EncodeToString(sum[:])
	if r.Payload == "unsigned" && !r.Presign {
		hash = "UNSIGNED-PAYLOAD"
	}
	if r.Payload != "plain" && !r.Presign {
		req.Header.Set("X-Amz-Content-Sha256", hash)
	}
	creds := aws.Credentials{AccessKeyID: in.Key, SecretAccessKey: in.Secret, SessionToken: r.Token}
	uri := ""
	if r.Presign {
		var full string
		if full, _, err = v4.NewSigner().PresignHTTP(context.Background(), creds, req, hash, in.Service, in.Region, at); err != nil {
			return signed{}, err
		}
		uri = strings.TrimPrefix(full, "http://"+r.Host)
	} else {
		if err := v4.NewSigner().SignHTTP(context.Background(), creds, req, hash, in.Service, in.Region, at); err != nil {
			return signed{}, err
		}
		uri = req.URL.RequestURI()
	}
	s := signed{Name: r.Name, Headers: [][2]string{{"Host", r.Host}}}
	s.Path, s.Query, _ = strings.Cut(uri, "?")
	if req.ContentLength > 0 {
		s.Headers = append(s.Headers, [2]string{"Content-Length", strconv.FormatInt(req.ContentLength, 10)})
	}
	for k, vs := range req.Header {
		for _, v := range vs {
			s.Headers = append(s.Headers, [2]string{k, v})
		}
	}
	return s, nil
}

// check ends the program when there is an error.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
