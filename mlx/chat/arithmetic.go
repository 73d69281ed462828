package chat

// + - ~ * / // % and **, for numbers, strings and lists.

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

func (e binaryExpr) eval(s *scope) (any, error) {
	pair, err := evalAll(s, []expr{e.left, e.right})
	if err != nil {
		return nil, err
	}
	if e.op == "~" {
		if err := s.run.weigh(pair...); err != nil {
			return nil, at(e.line, err)
		}
	}
	v, err := operate(e.op, pair[0], pair[1])
	if err == nil {
		err = s.run.fits(v)
	}
	return v, at(e.line, err)
}

func operate(op string, a, b any) (any, error) {
	switch op {
	case "~":
		return str(a) + str(b), nil
	case "+":
		if v, ok := join(a, b); ok {
			return v, nil
		}
	case "*":
		if v, ok, err := repeat(a, b); ok {
			return v, err
		}
	}
	x, ok := toInt(a)
	y, ok2 := toInt(b)
	if ok && ok2 && op != "/" {
		return operateInts(op, x, y)
	}
	f, ok := toFloat(a)
	g, ok2 := toFloat(b)
	if !ok || !ok2 {
		return nil, fmt.Errorf("cannot compute %s %s %s", typeName(a), op, typeName(b))
	}
	return operateFloats(op, f, g)
}

func join(a, b any) (any, bool) {
	if v, ok := joinMarkup(a, b); ok {
		return v, true
	}
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return x + y, ok
	case *List:
		if y, ok := b.(*List); ok && x.tuple == y.tuple {
			return &List{Items: append(append([]any{}, x.Items...), y.Items...), tuple: x.tuple}, true
		}
	}
	return nil, false
}

// repeat is a string or a list times a number.
func repeat(a, b any) (any, bool, error) {
	n, ok := toInt(b)
	if !ok {
		a, b = b, a
		if n, ok = toInt(b); !ok {
			return nil, false, nil
		}
	}
	switch x := a.(type) {
	case markup:
		v, ok, err := repeat(string(x), n)
		text, _ := v.(string)
		return markup(text), ok, err
	case string:
		if n > 0 && int64(len(x)) > mostOutput/n {
			return nil, true, errTooLarge
		}
		return strings.Repeat(x, int(max(n, 0))), true, nil
	case *List:
		if n > 0 && int64(len(x.Items)) > mostRange/n {
			return nil, true, errTooLarge
		}
		if n <= 0 || len(x.Items) == 0 {
			return &List{tuple: x.tuple}, true, nil
		}
		return &List{Items: slices.Repeat(x.Items, int(n)), tuple: x.tuple}, true, nil
	}
	return nil, false, nil
}

var errDivision = errors.New("division by zero")

var errNumber = errors.New("a whole number of more than 64 bits")

func operateInts(op string, x, y int64) (any, error) {
	if op == "**" && y < 0 {
		return operateFloats(op, float64(x), float64(y))
	}
	if small := int64(1 << 31); op != "**" && max(x, y) < small && min(x, y) > -small {
		switch op {
		case "+":
			return x + y, nil
		case "-":
			return x - y, nil
		case "*":
			return x * y, nil
		}
	}
	if exact, ok := map[string]func(z, x, y *big.Int) *big.Int{
		"+": (*big.Int).Add, "-": (*big.Int).Sub, "*": (*big.Int).Mul, "**": power}[op]; ok {
		z := exact(new(big.Int), big.NewInt(x), big.NewInt(y))
		if z == nil || !z.IsInt64() {
			return nil, errNumber
		}
		return z.Int64(), nil
	}
	if y == 0 {
		return nil, errDivision
	}
	quotient, rest := x/y, x%y
	if rest != 0 && (rest < 0) != (y < 0) {
		quotient, rest = quotient-1, rest+y
	}
	if op == "//" {
		return quotient, nil
	}
	return rest, nil
}

// power is x to the y, or nil where that has far more than 64 bits.
func power(z, x, y *big.Int) *big.Int {
	if x.CmpAbs(big.NewInt(1)) > 0 && y.CmpAbs(big.NewInt(64)) > 0 {
		return nil
	}
	if x.CmpAbs(big.NewInt(1)) <= 0 && y.Sign() != 0 { // 0, 1 and -1 need no more than the parity
		y = big.NewInt(2 - int64(y.Bit(0)))
	}
	return z.Exp(x, y, nil)
}

func operateFloats(op string, x, y float64) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		if x == 0 && y < 0 {
			return nil, errDivision
		}
		return math.Pow(x, y), nil
	}
	if y == 0 {
		return nil, errDivision
	}
	switch op {
	case "/":
		return x / y, nil
	case "//":
		return math.Floor(x / y), nil
	}
	return x - y*math.Floor(x/y), nil
}
