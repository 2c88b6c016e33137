package accesslog

import (
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

// subscriptionsOf reads the subscriptions of a state, and returns the destinations that are not served.
// A service network's subscription for resources (log type RESOURCE) is not about requests to services.
func subscriptionsOf(st *trellis.State, region string) (s *subscriptions, unserved []string) {
	s = &subscriptions{services: map[string]sinks{}, networks: map[string]sinks{}}
	for _, sub := range trellis.Sorted[*trellis.AccessLogSubscription](st) {
		by, arn := s.services, ""
		switch {
		case strings.HasPrefix(sub.Resource.ID, "svc-"):
			arn = trellis.LatticeARN(region, sub.Resource.Account, "service/"+sub.Resource.ID)
		case strings.HasPrefix(sub.Resource.ID, "sn-") && sub.LogType != "RESOURCE":
			by, arn = s.networks, trellis.LatticeARN(region, sub.Resource.Account, "servicenetwork/"+sub.Resource.ID)
		default:
			continue
		}
		k := by[arn]
		if !served(sub.DestinationARN) {
			k.unserved++
			unserved = append(unserved, sub.DestinationARN)
		} else if !slices.Contains(k.to, sub.DestinationARN) {
			k.to = append(k.to, sub.DestinationARN)
		}
		by[arn] = k
	}
	return s, unserved
}

// served tells whether rows can be delivered to a destination: CloudWatch log groups are.
func served(destinationARN string) bool {
	_, _, err := trellis.ParseLogGroupARN(destinationARN)
	return err == nil
}
