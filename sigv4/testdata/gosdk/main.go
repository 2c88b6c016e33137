// Command gosdk writes ../gosdk.json: what aws-sdk-go-v2 signs, in the form of ../generate.py.
//
//	cd testdata/gosdk && go run .
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// host is the service that is called.
const host = "orders-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"

// targets are the request targets to sign.
var targets = []string{"/", "/v1/orders/42", "/a%20b", "/a%2Fb/c", "/a:b@c!$&'()*+,;=", "/~x/a-b_c.d", "/%E6%97%A5", "/a//b///c", "/a/./b/../c", "/a/b/",
	"/a/b/..", "/../../a", "/a/%2e%2e/b", "/.well-known/x",
	"/services/arn%3Aaws%3Avpc-lattice%3Aeu-west-1%3A111122223333%3Aservice%2Fsvc-0123456789abcdef0/listeners",
	"/x?a=1", "/x?b=2&a=1", "/x?a=2&a=1&a=10", "/x?a-b=1&a=2&ab=3&a.b=4", "/x?list&acl=", "/x?q=%C3%A9%20%26%3D&p=a%2Fb", "/x?t=12:30&u=a/b", "/x?q=a+b",
	"/x?q=100%25", "/x?B=1&a=2&A=3&b=4"}

// main signs every target twice: with the payload unsigned and signed.
func main() {
	at := time.Date(2026, 11, 22, 19, 17, 23, 0, time.UTC)
	creds := aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	var lines []string
	for i, t := range targets {
		for _, hash := range []string{"UNSIGNED-PAYLOAD", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"} {
			creds.SessionToken = ""
			if i%2 == 1 {
				creds.SessionToken = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQD+/=="
			}
			r, err := http.NewRequest("GET", "http://"+host+t, nil)
			check(err)
			r.Header.Set("X-Amz-Content-Sha256", hash)
			r.Header.Add("X-Team", "  a   b ")
			check(v4.NewSigner().SignHTTP(context.Background(), creds, r, hash, "vpc-lattice-svcs", "eu-west-1", at))
			path, query, _ := strings.Cut(r.URL.RequestURI(), "?")
			headers := [][]string{{"Host", host}}
			for k, vs := range r.Header {
				for _, v := range vs {
					headers = append(headers, []string{k, v})
				}
			}
			slices.SortFunc(headers[1:], func(a, b []string) int { return strings.Compare(a[0], b[0]) })
			b, err := json.Marshal(map[string]any{"name": t + " " + hash[:8], "method": "GET", "path": path, "query": query, "headers": headers, "body": "",
				"service": "vpc-lattice-svcs", "region": "eu-west-1", "now": at, "want": "ok"})
			check(err)
			lines = append(lines, string(b))
		}
	}
	check(os.WriteFile("../gosdk.json", fmt.Appendf(nil, "{\"generator\": \"aws-sdk-go-v2 %s\",\n \"key\": %q, \"secret\": %q,\n\"cases\": [\n%s\n]}\n",
		aws.SDKVersion, creds.AccessKeyID, creds.SecretAccessKey, strings.Join(lines, ",\n")), 0o644))
	fmt.Println(len(lines), "cases")
}

// check ends the program when there is an error.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
