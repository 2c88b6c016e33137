package controlplane

import "sort"

// Page is which part of a list is asked for.
type Page struct {
	Max   int    // 1 to 100; 0 means 100
	After string // the position that the page before ended at; empty for the first page
}

// maxPage is the most, and the default, that one page holds.
const maxPage = 100

// paginate cuts a page out of items, which are sorted by key, and returns the position that it ends at, empty
// when nothing follows. The position is the last key of the page, so items that come and go do not shift the others.
func paginate[T any](items []T, key func(T) string, pg Page) ([]T, string) {
	if pg.Max <= 0 || pg.Max > maxPage {
		pg.Max = maxPage
	}
	if pg.After != "" {
		items = items[sort.Search(len(items), func(i int) bool { return key(items[i]) > pg.After }):]
	}
	if len(items) <= pg.Max {
		return items, ""
	}
	return items[:pg.Max], key(items[pg.Max-1])
}
