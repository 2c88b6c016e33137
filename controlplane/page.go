package controlplane

import "sort"

// Page is which part of a list is asked for.
type Page struct {
	Max   int    // 1 to 100; 0 means 100
	After string // the position that the page before ended at; empty for the first page
}

// maxPage is the most, and the default, that one page holds.
const maxPage = 100

// size is how many items the page holds at most.
func (pg Page) size() int {
	if pg.Max <= 0 || pg.Max > maxPage {
		return maxPage
	}
	return pg.Max
}

// paginate cuts a page out of items, which are sorted by key, and returns the position that it ends at, empty
// when nothing follows. The position is the last key of the page, so items that come and go do not shift the others.
func paginate[T any](items []T, key func(T) string, pg Page) ([]T, string) {
	size := pg.size()
	if pg.After != "" {
		items = items[sort.Search(len(items), func(i int) bool { return key(items[i]) > pg.After }):]
	}
	if len(items) <= size {
		return items, ""
	}
	return items[:size], key(items[size-1])
}
