package api_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/cloudwatch"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/api/vpclattice"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/sigv4"
)

// FuzzRestJSON sends any method, path, query and body, rightly signed, through the whole server: the answer is
// never a 500, and always JSON with a request id.
func FuzzRestJSON(f *testing.F) {
	f.Add("POST", "/services", "", `{"name":"orders","tags":{"a":"b"},"idleTimeoutSeconds":60}`)
	f.Add("GET", "/services/arn%3Aaws%3Avpc-lattice%3Aeu-west-1%3A111122223333%3Aservice%2Fsvc-0123456789abcdef0", "", "")
	f.Add("DELETE", "/tags/x", "tagKeys=a&tagKeys=b", "")
	f.Add("GET", "/services", "nextToken=AAAA&maxResults=0", "")
	f.Add("POST", "/services/svc-0123456789abcdef0/listeners", "", `{"name":null,"defaultAction":{"forward":{"targetGroups":[null,{"weight":1e9}]}}}`)
	key := sigv4.NewKey(testSecret)
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	var failed bool
	server := api.NewServer(api.Options{
		Services: []api.Service{complete(vpclattice.Model(),
			api.Op("CreateService", func(_ context.Context, _ *api.Call, in *vpclattice.CreateServiceInput) (*vpclattice.CreateServiceOutput, error) {
				return &vpclattice.CreateServiceOutput{Name: &in.Name}, nil
			}),
			api.Op("ListServices", func(_ context.Context, c *api.Call, in *vpclattice.ListServicesInput) (*vpclattice.ListServicesOutput, error) {
				_, err := c.After(in.NextToken)
				return &vpclattice.ListServicesOutput{}, err
			}),
			api.Op("CreateListener", func(_ context.Context, _ *api.Call, in *vpclattice.CreateListenerInput) (*vpclattice.CreateListenerOutput, error) {
				return &vpclattice.CreateListenerOutput{Name: &in.Name, DefaultAction: in.DefaultAction}, nil
			}))},
		Region: testRegion, Now: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(writerFunc(func(b []byte) (int, error) {
			failed = true
			return len(b), nil
		}), nil)),
		Callers: func(string, string) (*authpolicy.Caller, *sigv4.Key, error) { return &authpolicy.Caller{}, key, nil },
	})
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.RequestURI = method, "/"+strings.TrimPrefix(path, "/")
		if query != "" {
			r.RequestURI += "?" + query
		}
		raw, rawQuery, _ := strings.Cut(r.RequestURI, "?")
		for _, field := range sigv4.Sign(&sigv4.Request{Method: method, Path: raw, RawQuery: rawQuery, Host: r.Host}, testKey, testSecret, "",
			testRegion, "vpc-lattice", sigv4.HashPayload([]byte(body)), now) {
			r.Header.Set(field.Name, field.Value)
		}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if failed || w.Code >= 500 {
			t.Fatalf("%s %s: %d %s", method, r.RequestURI, w.Code, w.Body)
		}
		if w.Header().Get("x-amzn-RequestId") == "" {
			t.Fatal("no request id")
		}
		if w.Code != http.StatusNoContent && w.Body.Len() == 0 && path != "/healthz" {
			t.Fatalf("%d without a body", w.Code)
		}
	})
}

// writerFunc is a function as io.Writer.
type writerFunc func([]byte) (int, error)

// Write calls the function.
func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

var _ io.Writer = writerFunc(nil)

// FuzzQuery decodes any form as an EC2 and an IAM request: no panic, and what was decoded without a problem
// survives being written by a client and decoded again.
func FuzzQuery(f *testing.F) {
	f.Add("Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=a&Filter.1.Value.1=b&Filter.2.Name=")
	f.Add("Action=RunInstances&MaxCount=1&MinCount=1&NetworkInterface.1.PrivateIpAddresses.1.Primary=true")
	f.Add("Action=CreateUser&UserName=a&Tags.member.1.Key=k&Tags.member.1.Value=v")
	f.Add("Action=TagUser&Tags.member.2.Key=k&Tags.member.1.Value=%zz&Tags=")
	f.Add("Action=CreateUser&UserName.1.2.3=a&.=&..=&UserName=")
	var codecs []*wire.Codec
	for _, m := range []*wire.Model{ec2.Model(), iam.Model()} {
		c, err := wire.NewCodec(m)
		if err != nil {
			f.Fatal(err)
		}
		codecs = append(codecs, c)
	}
	f.Fuzz(func(t *testing.T, form string) {
		for _, c := range codecs {
			m, err := c.Read(&wire.Request{Method: "POST", Path: "/", Body: []byte(form)})
			if err != nil {
				continue
			}
			in, problems := c.Decode(m, nil)
			if len(problems) > 0 {
				continue
			}
			r := c.EncodeInput(m.Operation, in)
			again, err := c.Read(r)
			if err != nil {
				t.Fatalf("%s: %v", r.Body, err)
			}
			// Empty lists of EC2 have no form, and a structure without members has none in either protocol, so
			// the second round is compared with the third.
			second, _ := c.Decode(again, nil)
			third, err := c.Read(c.EncodeInput(m.Operation, second))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := c.Decode(third, nil); !reflect.DeepEqual(got, second) {
				t.Fatalf("%s: got %+v, want %+v", r.Body, got, second)
			}
		}
	})
}

// FuzzCBOR decodes any bytes as a request to CloudWatch: no panic, and what was decoded without a problem survives being
// written by a client and decoded again.
func FuzzCBOR(f *testing.F) {
	c, err := wire.NewCodec(cloudwatch.Model().Speaking(wire.CBOR))
	if err != nil {
		f.Fatal(err)
	}
	op, _ := c.Model.Operation("PutMetricData")
	at, value, count := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), 1.5, "Count"
	in := &cloudwatch.PutMetricDataInput{Namespace: "orders", MetricData: []cloudwatch.MetricDatum{{MetricName: "calls", Timestamp: &at, Value: &value, Unit: &count,
		Dimensions: []cloudwatch.Dimension{{Name: "service", Value: "é"}}, Values: []float64{1, 2}, Counts: []float64{3, 4}}}}
	f.Add(c.EncodeInput(op, in).Body)
	f.Add([]byte("\xbf\x69Namespace\x7f\x61a\x61b\xff\xff"))                       // without lengths
	f.Add([]byte("\xa1\x6aMetricData\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"))        // a list that is said to be long
	f.Add([]byte(strings.Repeat("\x81", 100) + "\x00"))                            // deep
	f.Add([]byte("\xa2\x69Namespace\x61a\x69Namespace\x61b"))                      // a key twice
	f.Add([]byte("\xa1\x69StartTime\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00"))     // infinite time
	f.Add([]byte("\xa1\x69Namespace\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00")) // a big number
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := c.Read(&wire.Request{Method: "POST", Path: "/service/GraniteServiceVersion20100801/operation/PutMetricData", Body: body})
		if err != nil {
			return
		}
		in, problems := c.Decode(m, nil)
		if len(problems) > 0 {
			return
		}
		again, err := c.Read(c.EncodeInput(m.Operation, in))
		if err != nil {
			t.Fatal(err)
		}
		if got, problems := c.Decode(again, nil); len(problems) > 0 || !reflect.DeepEqual(got, in) {
			t.Fatalf("got %+v, want %+v, %v", got, in, problems)
		}
	})
}
