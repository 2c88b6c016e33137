// Command api is the load on the API of a Trellis that runs: clients that sign every request, as SDKs do, each asking again
// as soon as it is answered.
//
//	api -endpoint URL -credentials FILE make    services with a listener each, for the others to work on
//	api -endpoint URL -credentials FILE rules   CreateRule
//	api -endpoint URL -credentials FILE get     GetService
//	api -endpoint URL -credentials FILE list    ListServices, page by page until the end
//	api -data DIR estate                        a store of many nouns, for a Trellis to start on
//
// It prints one line of JSON: how many calls were answered, in how many seconds, and percentiles of how long one took.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trellis-project/trellis/api/client"
	"github.com/trellis-project/trellis/api/vpclattice"
)

// options are the flags.
type options struct {
	endpoint, credentials, region, data string
	clients, services, rules, targets   int
	length                              time.Duration
}

// result is what is printed.
type result struct {
	Calls   int64   `json:"calls"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("api: ")
	var o options
	flag.StringVar(&o.endpoint, "endpoint", "http://127.0.0.1:4780", "URL of the API")
	flag.StringVar(&o.credentials, "credentials", ".trellis/credentials", "credentials file")
	flag.StringVar(&o.region, "region", "eu-west-1", "region of Trellis")
	flag.IntVar(&o.clients, "clients", 32, "clients that call at once")
	flag.IntVar(&o.services, "services", 64, "services to make, or to work on")
	flag.StringVar(&o.data, "data", "", "data directory of an estate")
	flag.IntVar(&o.rules, "rules", 500_000, "rules of an estate")
	flag.IntVar(&o.targets, "targets", 1_000_000, "targets of an estate")
	flag.DurationVar(&o.length, "time", 3*time.Second, "how long calls are made")
	flag.Parse()
	r, err := run(context.Background(), o, flag.Arg(0))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run is one verb.
func run(ctx context.Context, o options, verb string) (result, error) {
	if verb == "estate" {
		return estate(ctx, o.data, o.services, o.rules, o.targets)
	}
	own, err := client.LoadCredentials(o.credentials, "default")
	if err != nil {
		return result{}, err
	}
	c, err := client.New(o.endpoint, own, o.region)
	if err != nil {
		return result{}, err
	}
	c.HTTP = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: o.clients}}
	switch verb {
	case "make":
		_, _, r, err := makeServices(ctx, o, c)
		return r, err
	case "list":
		return list(ctx, o, c)
	case "rules":
		names, listeners, _, err := makeServices(ctx, o, c)
		if err != nil {
			return result{}, err
		}
		return load(o, 0, func(_ int, n int64) error {
			at := int(n) % len(names)
			return makeRule(ctx, c, names[at], listeners[at], n, int32(n/int64(len(names)))+1)
		})
	case "get":
		names, err := services(ctx, c, o.services)
		if err != nil {
			return result{}, err
		}
		return load(o, 0, func(_ int, n int64) error {
			_, _, err := client.Do[vpclattice.GetServiceOutput](ctx, c, "vpc-lattice", "GetService", &vpclattice.GetServiceInput{ServiceIdentifier: names[int(n)%len(names)]})
			return err
		})
	}
	return result{}, fmt.Errorf("%q is no verb: make, rules, get, list or estate", verb)
}

// makeServices makes services with a listener each, and returns the ids of both.
func makeServices(ctx context.Context, o options, c *client.Client) (services, listeners []string, r result, err error) {
	services, listeners = make([]string, o.services), make([]string, o.services)
	began := time.Now().UnixMilli()
	r, err = load(o, int64(o.services), func(_ int, n int64) error {
		made, _, err := client.Do[vpclattice.CreateServiceOutput](ctx, c, "vpc-lattice", "CreateService",
			&vpclattice.CreateServiceInput{Name: fmt.Sprintf("service-%d-%06d", began, n)})
		if err != nil {
			return err
		}
		services[n] = *made.Id
		out, err := c.Call(ctx, "vpc-lattice", "CreateListener", map[string]any{"serviceIdentifier": services[n], "name": "http", "protocol": "HTTP",
			"defaultAction": map[string]any{"fixedResponse": map[string]any{"statusCode": 404}}})
		if err != nil {
			return err
		}
		listeners[n] = out["id"].(string)
		return nil
	})
	return services, listeners, r, err
}

// makeRule makes rule n, of a path of its own.
func makeRule(ctx context.Context, c *client.Client, service, listener string, n int64, priority int32) error {
	prefix, status := fmt.Sprintf("/p%d", n), int32(404)
	_, _, err := client.Do[vpclattice.CreateRuleOutput](ctx, c, "vpc-lattice", "CreateRule", &vpclattice.CreateRuleInput{
		ServiceIdentifier: service, ListenerIdentifier: listener, Name: fmt.Sprintf("path-%d", n), Priority: priority,
		Match:  &vpclattice.RuleMatch{HttpMatch: &vpclattice.HttpMatch{PathMatch: &vpclattice.PathMatch{Match: &vpclattice.PathMatchType{Prefix: &prefix}}}},
		Action: &vpclattice.RuleAction{FixedResponse: &vpclattice.FixedResponseAction{StatusCode: status}}})
	return err
}

// services are the ids of the first n services.
func services(ctx context.Context, c *client.Client, n int) (ids []string, err error) {
	in := &vpclattice.ListServicesInput{}
	for len(ids) < n {
		out, _, err := client.Do[vpclattice.ListServicesOutput](ctx, c, "vpc-lattice", "ListServices", in)
		if err != nil {
			return nil, err
		}
		for _, s := range out.Items {
			ids = append(ids, *s.Id)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(ids) == 0 {
		return nil, errors.New("no services: run make first")
	}
	return ids[:min(n, len(ids))], nil
}

// load makes calls from all clients until the time is over, or until there were so many, when calls is not 0.
func load(o options, calls int64, call func(client int, n int64) error) (result, error) {
	var next, done atomic.Int64
	took := make([][]time.Duration, o.clients)
	errs := make([]error, o.clients)
	var wg sync.WaitGroup
	began := time.Now()
	for i := range o.clients {
		wg.Go(func() {
			for {
				n := next.Add(1) - 1
				if calls > 0 && n >= calls || calls == 0 && time.Since(began) > o.length {
					return
				}
				at := time.Now()
				if errs[i] = call(i, n); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(at))
				done.Add(1)
			}
		})
	}
	wg.Wait()
	seconds := time.Since(began).Seconds()
	return summary(done.Load(), seconds, slices.Concat(took...)), errors.Join(errs...)
}

// list lists all services and times each page.
func list(ctx context.Context, o options, c *client.Client) (result, error) {
	var took []time.Duration
	began := time.Now()
	for time.Since(began) < o.length {
		in := &vpclattice.ListServicesInput{}
		for {
			at := time.Now()
			out, _, err := client.Do[vpclattice.ListServicesOutput](ctx, c, "vpc-lattice", "ListServices", in)
			if err != nil {
				return result{}, err
			}
			took = append(took, time.Since(at))
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
	}
	return summary(int64(len(took)), time.Since(began).Seconds(), took), nil
}

// summary makes the result of what calls took.
func summary(calls int64, seconds float64, took []time.Duration) result {
	if len(took) == 0 {
		return result{}
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1e3
	}
	return result{Calls: calls, Seconds: seconds, P50: at(.5), P99: at(.99), Max: at(1)}
}
