package cloudtrail

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// pageSize is the largest page, and the usual one, of events (CloudTrail API, LookupEvents).
const pageSize = 50

// lookupEvents serves LookupEvents.
func (h *handler) lookupEvents(_ context.Context, c *api.Call, in *LookupEventsInput) (*LookupEventsOutput, error) {
	if err := c.Authorize("cloudtrail:LookupEvents", "*", nil); err != nil {
		return nil, err
	}
	q := telemetry.Lookup{From: api.Value(in.StartTime), To: api.Value(in.EndTime), Limit: int(api.Or(in.MaxResults, pageSize))}
	if !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From) {
		return nil, trellis.NewError(400, "InvalidTimeRangeException", "The end time must be later than the start time.")
	}
	if len(in.LookupAttributes) > 1 {
		return nil, trellis.NewError(400, "InvalidLookupAttributesException", "You can specify only one lookup attribute.")
	}
	for _, a := range in.LookupAttributes {
		q.Matches, q.Text = matcher(a.AttributeKey, a.AttributeValue)
	}
	var err error
	if in.NextToken != nil {
		if q.After, err = c.After(in.NextToken); err != nil {
			return nil, trellis.NewError(400, "InvalidNextTokenException", "The specified next token is not valid.")
		}
	}
	out := &LookupEventsOutput{Events: []Event{}}
	if in.EventCategory != nil { // Insights events, the only category that can be asked for, are not made
		return out, nil
	}
	records, next, err := h.trail.Look(c.Account, q)
	if err != nil {
		return nil, err
	}
	for i := range records {
		e, err := eventOf(&records[i])
		if err != nil {
			return nil, err
		}
		out.Events = append(out.Events, e)
	}
	out.NextToken = c.NextToken(next)
	return out, nil
}

// matcher tells records that have a value for a lookup attribute, and a text that occurs in all of them.
func matcher(key, value string) (func(*trellis.AuditRecord) bool, string) {
	switch key {
	case "EventId":
		return func(r *trellis.AuditRecord) bool { return r.ID == value }, inJSON(value)
	case "EventName":
		return func(r *trellis.AuditRecord) bool { return r.Operation == value }, inJSON(value)
	case "EventSource":
		return func(r *trellis.AuditRecord) bool { return eventSource(r) == value }, inJSON(strings.TrimSuffix(value, sourceSuffix))
	case "Username":
		return func(r *trellis.AuditRecord) bool { return username(&r.Principal) == value }, ""
	case "ReadOnly":
		return func(r *trellis.AuditRecord) bool { return fmt.Sprint(r.ReadOnly) == strings.ToLower(value) }, ""
	case "AccessKeyId":
		return func(r *trellis.AuditRecord) bool { return r.Principal.AccessKeyID == value }, inJSON(value)
	case "ResourceType":
		return func(r *trellis.AuditRecord) bool {
			return hasResource(r, func(a Resource) bool { return api.Value(a.ResourceType) == value })
		}, ""
	default: // ResourceName: the ARN, or the id or name that it ends with
		return func(r *trellis.AuditRecord) bool {
			return hasResource(r, func(a Resource) bool { return *a.ResourceName == value || trellis.LastPart(*a.ResourceName) == value })
		}, inJSON(value)
	}
}

// hasResource tells whether a record has a resource that is meant.
func hasResource(r *trellis.AuditRecord, meant func(Resource) bool) bool {
	for _, a := range r.Resources {
		if meant(resourceOf(r, a)) {
			return true
		}
	}
	return false
}

// inJSON is a text as it stands inside of a string of JSON.
func inJSON(s string) string {
	b, _ := json.Marshal(s) // a string in memory cannot fail
	return string(b[1 : len(b)-1])
}

// eventOf is a record as LookupEvents shows it.
func eventOf(r *trellis.AuditRecord) (Event, error) {
	text, err := json.Marshal(eventRecord(r))
	if err != nil {
		return Event{}, fmt.Errorf("write a CloudTrail event: %w", err)
	}
	e := Event{EventId: &r.ID, EventName: &r.Operation, EventSource: new(eventSource(r)), EventTime: &r.Time, ReadOnly: new(fmt.Sprint(r.ReadOnly)),
		AccessKeyId: api.Some(r.Principal.AccessKeyID), Username: api.Some(username(&r.Principal)), CloudTrailEvent: new(string(text)), Resources: []Resource{}}
	for _, a := range r.Resources {
		e.Resources = append(e.Resources, resourceOf(r, a))
	}
	return e, nil
}
