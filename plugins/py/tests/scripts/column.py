import csv


def numbers(path):
    with open(path, newline="") as file:
        return [int(row["number"]) for row in csv.DictReader(file)]
