package logs

import (
	"context"
	"strconv"

	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/telemetry"
)

// language is the one query language that is served, CloudWatch Logs Insights'.
const language = "CWLI"

// startQuery serves StartQuery.
func (h *handler) startQuery(_ context.Context, c *api.Call, in *StartQueryInput) (*StartQueryOutput, error) {
	if l := api.Or(in.QueryLanguage, language); l != language {
		return nil, invalid("Query language %s is not served", l)
	}
	var groups []string
	given := 0
	if in.LogGroupName != nil {
		given++
		groups = []string{*in.LogGroupName}
	}
	if len(in.LogGroupNames) > 0 {
		given++
		groups = in.LogGroupNames
	}
	if len(in.LogGroupIdentifiers) > 0 {
		given++
		for _, id := range in.LogGroupIdentifiers {
			name, err := fromIdentifier(c, id)
			if err != nil {
				return nil, err
			}
			groups = append(groups, name)
		}
	}
	if given != 1 {
		return nil, invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers has to be set")
	}
	for _, g := range groups {
		if err := h.onGroup(c, g); err != nil {
			return nil, err
		}
	}
	id, err := h.logs.StartQuery(telemetry.Query{Account: c.Account, Groups: groups, From: in.StartTime, To: in.EndTime,
		Text: in.QueryString, Limit: int(api.Or(in.Limit, 0)), User: c.Caller.Principal.ARN})
	return &StartQueryOutput{QueryId: &id}, err
}

// getQueryResults serves GetQueryResults.
func (h *handler) getQueryResults(_ context.Context, c *api.Call, in *GetQueryResultsInput) (*GetQueryResultsOutput, error) {
	if err := c.Authorize("logs:GetQueryResults", "*", nil); err != nil {
		return nil, err
	}
	q, err := h.logs.QueryResults(c.Account, in.QueryId)
	if err != nil {
		return nil, err
	}
	rows, next, err := page(c, q.Results, in.NextToken, int(api.Or(in.MaxItems, 0)))
	if err != nil {
		return nil, err
	}
	out := &GetQueryResultsOutput{Status: &q.Status, QueryLanguage: new(language), Results: make([][]ResultField, 0, len(rows)), NextToken: next,
		Statistics: &QueryStatistics{RecordsMatched: &q.Stats.RecordsMatched, RecordsScanned: &q.Stats.RecordsScanned, BytesScanned: &q.Stats.BytesScanned,
			LogGroupsScanned: &q.Stats.GroupsScanned, EstimatedBytesSkipped: new(0.0), EstimatedRecordsSkipped: new(0.0)}}
	for _, row := range rows {
		line := make([]ResultField, 0, len(row))
		for _, f := range row {
			line = append(line, ResultField{Field: new(f.Name), Value: new(f.Value)})
		}
		out.Results = append(out.Results, line)
	}
	return out, nil
}

// stopQuery serves StopQuery.
func (h *handler) stopQuery(_ context.Context, c *api.Call, in *StopQueryInput) (*StopQueryOutput, error) {
	if err := c.Authorize("logs:StopQuery", "*", nil); err != nil {
		return nil, err
	}
	err := h.logs.StopQuery(c.Account, in.QueryId)
	return &StopQueryOutput{Success: new(err == nil)}, err
}

// describeQueries serves DescribeQueries.
func (h *handler) describeQueries(_ context.Context, c *api.Call, in *DescribeQueriesInput) (*DescribeQueriesOutput, error) {
	group := api.Or(in.LogGroupName, "")
	resource := h.logs.GroupARN(c.Account, "*")
	if group != "" {
		resource = h.logs.GroupARN(c.Account, group) + ":*"
	}
	if err := c.Authorize("logs:DescribeQueries", resource, nil); err != nil {
		return nil, err
	}
	var queries []telemetry.QueryState
	if api.Or(in.QueryLanguage, language) == language {
		queries = h.logs.Queries(c.Account, group, api.Or(in.Status, ""))
	}
	queries, next, err := page(c, queries, in.NextToken, int(api.Or(in.MaxResults, 1000)))
	if err != nil {
		return nil, err
	}
	out := &DescribeQueriesOutput{Queries: make([]QueryInfo, 0, len(queries)), NextToken: next}
	for _, q := range queries {
		out.Queries = append(out.Queries, QueryInfo{QueryId: new(q.ID), QueryString: new(q.Query.Text), QueryLanguage: new(language), Status: new(q.Status),
			CreateTime: new(q.CreatedMillis), LogGroupName: new(q.Query.Groups[0]), QueryDuration: new(q.DurationMillis),
			BytesScanned: new(q.Stats.BytesScanned), UserIdentity: new(q.Query.User)})
	}
	return out, nil
}

// page cuts the part of a list that a request asks for; size 0 is all that is left.
func page[T any](c *api.Call, all []T, token *string, size int) (part []T, next *string, err error) {
	after, err := c.After(token)
	if err != nil {
		return nil, nil, err
	}
	from := 0
	if after != "" {
		if from, err = strconv.Atoi(after); err != nil || from < 0 {
			return nil, nil, invalid("The specified nextToken is invalid.")
		}
	}
	part = all[min(from, len(all)):]
	if size > 0 && len(part) > size {
		part = part[:size]
		next = c.NextToken(strconv.Itoa(from + size))
	}
	return part, next, nil
}
