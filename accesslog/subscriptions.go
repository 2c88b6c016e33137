package accesslog

import (
	"maps"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
)

// subscriptions says where the rows of a service, service network or resource configuration go, by ARN. It is never
// changed.
type subscriptions struct {
	services, networks               map[string]sinks
	configurations, networkResources map[string]sinks // the same for connections to resources
}

// sinks are the destinations of one resource.
type sinks struct {
	to       []string // ARNs of log groups
	unserved int      // how many others there are
}

// source is what a subscription asks for the log of: a service, a service network's services or its resources, a resource
// configuration.
type source struct {
	arn      string
	network  bool
	resource bool
}

// sourceOf returns the source of a subscription, and false when there are no logs of what it names.
func sourceOf(sub *trellis.AccessLogSubscription, region string) (source, bool) {
	switch {
	case strings.HasPrefix(sub.Resource.ID, "svc-"):
		return source{trellis.LatticeARN(region, sub.Resource.Account, "service/"+sub.Resource.ID), false, false}, true
	case strings.HasPrefix(sub.Resource.ID, "sn-"):
		return source{trellis.LatticeARN(region, sub.Resource.Account, "servicenetwork/"+sub.Resource.ID), true, sub.LogType == "RESOURCE"}, true
	case strings.HasPrefix(sub.Resource.ID, "rcfg-"):
		return source{trellis.LatticeARN(region, sub.Resource.Account, "resourceconfiguration/"+sub.Resource.ID), false, true}, true
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

// Apply replaces the subscriptions by those of a state: of what a subscription changed of since the last Apply, or of all
// when that is not known.
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
	next := &subscriptions{map[string]sinks{}, map[string]sinks{}, map[string]sinks{}, map[string]sinks{}}
	if known {
		old := l.subs.Load()
		next = &subscriptions{maps.Clone(old.services), maps.Clone(old.networks), maps.Clone(old.configurations), maps.Clone(old.networkResources)}
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

// of are the sinks of all sources of the kind of one.
func (s *subscriptions) of(from source) map[string]sinks {
	switch {
	case from.network && from.resource:
		return s.networkResources
	case from.network:
		return s.networks
	case from.resource:
		return s.configurations
	}
	return s.services
}

// serve sets the sinks of one source, and says once of each destination that is not served that it isn't. The caller
// holds applying.
func (l *Log) serve(next *subscriptions, from source) {
	by := next.of(from)
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
