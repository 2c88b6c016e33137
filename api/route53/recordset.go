package route53

import (
	"context"
	"slices"
	"strconv"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/companion/hostedzone"
)

// fromRecordSet reads a record set of a request.
func fromRecordSet(r *ResourceRecordSet) trellis.RecordSet {
	s := trellis.RecordSet{Name: r.Name, Type: r.Type, SetIdentifier: api.Value(r.SetIdentifier), TTL: api.Value(r.TTL), HealthCheckID: api.Value(r.HealthCheckId)}
	for _, v := range r.ResourceRecords {
		s.Values = append(s.Values, v.Value)
	}
	if a := r.AliasTarget; a != nil {
		s.Alias = &trellis.AliasTarget{ZoneID: hostedzone.ID(a.HostedZoneId), Name: a.DNSName, EvaluateHealth: a.EvaluateTargetHealth}
	}
	s.Policy = trellis.RoutingPolicy{Weight: r.Weight, Region: api.Value(r.Region), Failover: api.Value(r.Failover), MultiValue: api.Value(r.MultiValueAnswer),
		TrafficInstance: api.Value(r.TrafficPolicyInstanceId)}
	if g := r.GeoLocation; g != nil {
		s.Policy.Geo = &trellis.GeoLocation{Continent: api.Value(g.ContinentCode), Country: api.Value(g.CountryCode), Subdivision: api.Value(g.SubdivisionCode)}
	}
	if p := r.CidrRoutingConfig; p != nil {
		s.Policy.CIDRCollection, s.Policy.CIDRLocation = p.CollectionId, p.LocationName
	}
	if p := r.GeoProximityLocation; p != nil {
		g := map[string]string{"AWSRegion": api.Value(p.AWSRegion), "LocalZoneGroup": api.Value(p.LocalZoneGroup)}
		if p.Bias != nil {
			g["Bias"] = strconv.Itoa(int(*p.Bias))
		}
		if p.Coordinates != nil {
			g["Latitude"], g["Longitude"] = p.Coordinates.Latitude, p.Coordinates.Longitude
		}
		s.Policy.GeoProximity = g
	}
	return s
}

// toRecordSet is fromRecordSet reversed.
func toRecordSet(s *trellis.RecordSet) ResourceRecordSet {
	p := s.Policy
	r := ResourceRecordSet{Name: s.Name, Type: s.Type, SetIdentifier: api.Some(s.SetIdentifier), HealthCheckId: api.Some(s.HealthCheckID), Weight: p.Weight, Region: api.Some(p.Region),
		Failover: api.Some(p.Failover), MultiValueAnswer: api.Some(p.MultiValue), TrafficPolicyInstanceId: api.Some(p.TrafficInstance)}
	if s.Alias != nil {
		r.AliasTarget = &AliasTarget{HostedZoneId: s.Alias.ZoneID, DNSName: s.Alias.Name, EvaluateTargetHealth: s.Alias.EvaluateHealth}
	} else {
		r.TTL = &s.TTL
		r.ResourceRecords = api.Each(s.Values, func(v string) ResourceRecord { return ResourceRecord{Value: v} })
	}
	if g := p.Geo; g != nil {
		r.GeoLocation = &GeoLocation{ContinentCode: api.Some(g.Continent), CountryCode: api.Some(g.Country), SubdivisionCode: api.Some(g.Subdivision)}
	}
	if p.CIDRCollection != "" {
		r.CidrRoutingConfig = &CidrRoutingConfig{CollectionId: p.CIDRCollection, LocationName: p.CIDRLocation}
	}
	if g := p.GeoProximity; g != nil {
		r.GeoProximityLocation = &GeoProximityLocation{AWSRegion: api.Some(g["AWSRegion"]), LocalZoneGroup: api.Some(g["LocalZoneGroup"])}
		if bias, err := strconv.Atoi(g["Bias"]); err == nil {
			r.GeoProximityLocation.Bias = new(int32(bias))
		}
		if g["Latitude"] != "" {
			r.GeoProximityLocation.Coordinates = &Coordinates{Latitude: g["Latitude"], Longitude: g["Longitude"]}
		}
	}
	return r
}

// changeResourceRecordSets serves ChangeResourceRecordSets.
func (h *handler) changeResourceRecordSets(ctx context.Context, c *api.Call, in *ChangeResourceRecordSetsInput) (*ChangeResourceRecordSetsOutput, error) {
	changes := api.Each(in.ChangeBatch.Changes, func(ch Change) hostedzone.SetChange {
		return hostedzone.SetChange{Action: ch.Action, Set: fromRecordSet(ch.ResourceRecordSet)}
	})
	change, rev, err := h.zones.ChangeSets(ctx, c.Caller, in.HostedZoneId, changes, api.Value(in.ChangeBatch.Comment))
	return api.Done(c, &ChangeResourceRecordSetsOutput{ChangeInfo: changeInfo(change)}, rev, err)
}

// listResourceRecordSets serves ListResourceRecordSets.
func (h *handler) listResourceRecordSets(ctx context.Context, c *api.Call, in *ListResourceRecordSetsInput) (*ListResourceRecordSetsOutput, error) {
	size, err := pageSize(in.MaxItems, 300)
	if err != nil {
		return nil, err
	}
	from := &trellis.RecordSet{Type: api.Value(in.StartRecordType), SetIdentifier: api.Value(in.StartRecordIdentifier)}
	switch {
	case in.StartRecordType != nil && in.StartRecordName == nil, in.StartRecordIdentifier != nil && in.StartRecordType == nil:
		return nil, trellis.NewError(400, "InvalidInput", "The input is not valid: a type needs a name, and an identifier needs a type.")
	case in.StartRecordName != nil:
		if from.Name, err = trellis.RecordName(*in.StartRecordName); err != nil {
			return nil, trellis.NewError(400, "InvalidInput", "The record name %s is not valid: %s", *in.StartRecordName, err)
		}
	}
	all, err := h.zones.ListSets(ctx, c.Caller, in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	page, next := cut(all, func(s *trellis.RecordSet) bool { return from.Name == "" || hostedzone.CompareSets(s, from) >= 0 }, size)
	out := &ListResourceRecordSetsOutput{ResourceRecordSets: api.Each(page, toRecordSet), IsTruncated: next != nil, MaxItems: strconv.Itoa(size)}
	if next != nil {
		out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier = &(*next).Name, &(*next).Type, api.Some((*next).SetIdentifier)
	}
	return out, nil
}

// testDNSAnswer serves TestDNSAnswer.
func (h *handler) testDNSAnswer(ctx context.Context, c *api.Call, in *TestDNSAnswerInput) (*TestDNSAnswerOutput, error) {
	a, err := h.zones.Test(ctx, c.Caller, in.HostedZoneId, in.RecordName, in.RecordType)
	if err != nil {
		return nil, err
	}
	return &TestDNSAnswerOutput{Nameserver: a.Zone.NameServers()[0], RecordName: a.Name, RecordType: in.RecordType, RecordData: slices.Concat([]string{}, a.Values),
		ResponseCode: a.Code, Protocol: "UDP"}, nil
}
