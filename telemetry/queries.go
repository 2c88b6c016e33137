package telemetry

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/trellis-project/trellis"
)

const (
	// queryTimeout ends a query that takes too long (CloudWatch Logs: 60 minutes).
	queryTimeout = 5 * time.Minute
	// maxRunning bounds the queries of an account that run at the same time.
	maxRunning = 30
	// keptQueries and keptRows bound the finished queries whose results can be asked for.
	keptQueries, keptRows = 1000, 200_000
)

// The statuses of queries (CloudWatch Logs API, GetQueryResults).
const (
	QueryRunning   = "Running"
	QueryComplete  = "Complete"
	QueryFailed    = "Failed"
	QueryCancelled = "Cancelled"
	QueryTimeout   = "Timeout"
)

// Query is a query to start.
type Query struct {
	Account  string
	Groups   []string // names, of the account
	From, To int64    // seconds since 1970, both included
	Text     string
	Limit    int // of results, when the text has no limit; 0 is 10,000
	User     string
}

// QueryState is a query that was started, as it stands.
type QueryState struct {
	ID             string
	Query          Query
	Status         string
	CreatedMillis  int64
	DurationMillis int64
	Results        [][]Field // while it runs: none
	Stats          QueryStats
}

// queries are the queries that were started, oldest first.
type queries struct {
	ctx    context.Context // of all queries
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu  sync.Mutex
	all []*started
}

// started is one query.
type started struct {
	QueryState
	stop context.CancelFunc
}

// init prepares an empty list.
func (q *queries) init() { q.ctx, q.cancel = context.WithCancel(context.Background()) }

// end stops all queries and waits for them.
func (q *queries) end() {
	q.mu.Lock()
	q.cancel()
	q.mu.Unlock()
	q.work.Wait()
}

// StartQuery begins a query and returns its id. A query that cannot be understood is MalformedQueryException.
func (l *Logs) StartQuery(query Query) (id string, err error) {
	if query.To < query.From {
		return "", invalid("End time should not be less than start time")
	}
	if query.Limit < 0 || query.Limit > maxRows {
		return "", invalid("The limit of a query is 1 to %d", maxRows)
	}
	if len(query.Groups) == 0 || len(query.Groups) > 50 {
		return "", invalid("A query has 1 to 50 log groups")
	}
	commands, err := parseQuery(query.Text)
	if err != nil {
		return "", err
	}
	var groups []*group
	for _, name := range query.Groups {
		g, err := l.find(query.Account, name)
		if err != nil {
			return "", err
		}
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	limit := query.Limit
	if limit == 0 {
		limit = maxRows
	}
	q := &l.queries
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ctx.Err() != nil {
		return "", trellis.NewError(503, "ServiceUnavailableException", "The service is ending.")
	}
	running := 0
	for _, s := range q.all {
		if s.Status == QueryRunning && s.Query.Account == query.Account {
			running++
		}
	}
	if running >= maxRunning {
		return "", tooMany("An account has at most %d running queries", maxRunning)
	}
	q.forgetOld()
	ctx, stop := context.WithTimeout(q.ctx, queryTimeout)
	s := &started{QueryState{ID: trellis.NewUUID(), Query: query, Status: QueryRunning, CreatedMillis: l.millis()}, stop}
	q.all = append(q.all, s)
	q.work.Go(func() {
		defer stop()
		x := plan(commands, limit)
		results, err := l.execute(ctx, groups, span{query.From * 1000, query.To*1000 + 999}, x)
		l.finish(s, x, results, err)
	})
	return s.ID, nil
}

// finish sets how a query ended.
func (l *Logs) finish(s *started, x *execution, results [][]Field, err error) {
	l.queries.mu.Lock()
	defer l.queries.mu.Unlock()
	if s.Status != QueryRunning {
		return // it was stopped
	}
	s.Stats, s.DurationMillis = x.stats, l.millis()-s.CreatedMillis
	switch {
	case err == nil:
		s.Status, s.Results = QueryComplete, results
	case errors.Is(err, context.DeadlineExceeded):
		s.Status = QueryTimeout
	case errors.Is(err, context.Canceled):
		s.Status = QueryCancelled
	default:
		s.Status = QueryFailed
		l.log.Error("query failed", "query_id", s.ID, "error", err)
	}
}

// forgetOld drops the oldest finished queries until there is room. The caller holds mu.
func (q *queries) forgetOld() {
	n, rows := len(q.all), 0
	for _, s := range q.all {
		rows += len(s.Results)
	}
	q.all = slices.DeleteFunc(q.all, func(s *started) bool {
		if s.Status == QueryRunning || n < keptQueries && rows <= keptRows {
			return false
		}
		n--
		rows -= len(s.Results)
		return true
	})
}

// find returns an account's query, or ResourceNotFoundException. The caller holds mu.
func (q *queries) find(account, id string) (*started, error) {
	for _, s := range q.all {
		if s.ID == id && s.Query.Account == account {
			return s, nil
		}
	}
	return nil, trellis.NewError(400, "ResourceNotFoundException", "The specified query does not exist.")
}

// QueryResults returns a query as it stands.
func (l *Logs) QueryResults(account, id string) (QueryState, error) {
	l.queries.mu.Lock()
	defer l.queries.mu.Unlock()
	s, err := l.queries.find(account, id)
	if err != nil {
		return QueryState{}, err
	}
	return s.QueryState, nil
}

// StopQuery ends a running query. One that has ended already is an error.
func (l *Logs) StopQuery(account, id string) error {
	l.queries.mu.Lock()
	defer l.queries.mu.Unlock()
	s, err := l.queries.find(account, id)
	if err != nil {
		return err
	}
	if s.Status != QueryRunning {
		return invalid("Query has already ended: its status is %s", s.Status)
	}
	s.Status, s.DurationMillis = QueryCancelled, l.millis()-s.CreatedMillis
	s.stop()
	return nil
}

// Queries returns an account's queries, the latest first, of one group and status as far as these are set.
func (l *Logs) Queries(account, group, status string) []QueryState {
	l.queries.mu.Lock()
	defer l.queries.mu.Unlock()
	var out []QueryState
	for _, s := range slices.Backward(l.queries.all) {
		if s.Query.Account == account && (group == "" || slices.Contains(s.Query.Groups, group)) && (status == "" || s.Status == status) {
			out = append(out, s.QueryState)
		}
	}
	return out
}
