package fidelity

// shape counts tables while a document is read.
type shape struct {
	tables, rows int
	open         int // tables that the reader is in
	own          int // rows of the outermost of them
	cells, wide  int // cells of its row, and most of any
}

func (s *shape) begin() {
	if s.open++; s.open == 1 {
		s.own, s.cells, s.wide = 0, 0, 0
	}
}

func (s *shape) row() {
	if s.open == 1 {
		s.own++
		s.cells = 0
	}
}

func (s *shape) cell() {
	if s.open == 1 {
		s.cells++
		s.wide = max(s.wide, s.cells)
	}
}

// end counts a table that holds data: what has one row or one column is layout.
func (s *shape) end() {
	s.open--
	if s.open == 0 && s.own > 1 && s.wide > 1 {
		s.tables++
		s.rows += s.own
	}
}
