import sys

from column import numbers

sum(numbers(sys.argv[1]))
