package accesslog

import (
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// subscriptions says where the rows of a service or service network go, by ARN. It is never changed.
type subscriptions struct {
	services, networks map[string]sinks
}

// sinks are the destinations of one resource.
type sinks struct {
	to       []string // ARNs of log groups
	unserved int      // how many others there are
}

// source is the service or service network whose log a subscription asks for.
type source struct {
	arn     string
	network bool
}

// sourceOf returns the source of a subscription, and false when it is not about requests to services, as a service
// network's subscription for resources (log type RESOURCE).
func sourceOf(sub *trellis.AccessLogSubscription, region string) (source, bool) {
	switch {
	case strings.HasPrefix(sub.Resource.ID, "svc-"):
		return source{trellis.LatticeARN(region, sub.Resource.Account, "service/"+sub.Resource.ID), false}, true
	case strings.HasPrefix(sub.Resource.ID, "sn-") && sub.LogType != "RESOURCE":
		return source{trellis.LatticeARN(region, sub.Resource.Account, "servicenetwork/"+sub.Resource.ID), true}, true
	}
	return source{}, false
}

// sources are the subscriptions of each source, by key.
type sources map[source]map[string]*trellis.AccessLogSubscription

// change takes a subscription away, adds another one, either may be nil, and notes their sources.
func (s sources) change(was, is *trellis.AccessLogSubscription, region string, touched map[source]bool) {
	if was != nil {
		if from, ok := sourceOf(was, region); ok {
			delete(s[from], was.Key())
			touched[from] = true
		}
	}
	if is != nil {
		if from, ok := sourceOf(is, region); ok {
			if s[from] == nil {
				s[from] = map[string]*trellis.AccessLogSubscription{}
			}
			s[from][is.Key()] = is
			touched[from] = true
		}
	}
}

// sinksOf makes the sinks of one source's subscriptions, and returns the destinations that are not served.
func sinksOf(subs map[string]*trellis.AccessLogSubscription) (k sinks, unserved []string) {
	for _, key := range slices.Sorted(maps.Keys(subs)) {
		to := subs[key].DestinationARN
		if !served(to) {
			k.unserved++
			unserved = append(unserved, to)
		} else if !slices.Contains(k.to, to) {
			k.to = append(k.to, to)
		}
	}
	return k, unserved
}

// Apply replaces the subscriptions by those of a state: of the services and networks that a subscription changed of
// since the last Apply, or of all when that is not known.
func (l *Log) Apply(st *trellis.State) {
	l.applying.Lock()
	defer l.applying.Unlock()
	touched := map[source]bool{}
	changes, known := st.Since(l.moment)
	l.moment = st.Moment()
	for _, c := range changes {
		if c.Kind() == trellis.KindAccessLogSubscription {
			was, _ := c.Was.(*trellis.AccessLogSubscription)
			is, _ := c.Is.(*trellis.AccessLogSubscription)
			l.sources.change(was, is, l.region, touched)
		}
	}
	if known && len(touched) == 0 {
		return
	}
	next := &subscriptions{services: map[string]sinks{}, networks: map[string]sinks{}}
	if known {
		old := l.subs.Load()
		next.services, next.networks = maps.Clone(old.services), maps.Clone(old.networks)
	} else {
		l.sources = sources{}
		for sub := range trellis.All[*trellis.AccessLogSubscription](st) {
			l.sources.change(nil, sub, l.region, touched)
		}
	}
	for from := range touched {
		l.serve(next, from)
	}
	l.subs.Store(next)
}

// serve sets the sinks of one source, and says once of each destination that is not served that it isn't. The caller
// holds applying.
func (l *Log) serve(next *subscriptions, from source) {
	by := next.services
	if from.network {
		by = next.networks
	}
	if len(l.sources[from]) == 0 {
		delete(l.sources, from)
		delete(by, from.arn)
		return
	}
	k, unserved := sinksOf(l.sources[from])
	by[from.arn] = k
	for _, arn := range unserved {
		if !l.warned[arn] {
			l.warned[arn] = true
			l.log.Warn("access log destination is not served", "destination_arn", arn)
		}
	}
}

// served tells whether rows can be delivered to a destination: CloudWatch log groups are.
func served(destinationARN string) bool {
	_, _, err := trellis.ParseLogGroupARN(destinationARN)
	return err == nil
}
