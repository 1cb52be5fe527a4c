"""What the law and the regions say: data with effective dates, grades and sources, and look-ups.

    policy      Policy.load() and what may be asked of it: national ← province ← pool, by day
    settings    the shape of every setting's value
    files       YAML read strictly: unknown keys, overlaps and missing grades are refused at start
    areas       region codes → province and pool, by our own table with validity, never by prefix
    calendar    Beijing days and months, Chinese working days (R33)
    seed        writes areas.csv and working_days.csv from public packages

National defaults are in national.yaml, what a region says in regions/<code>.yaml; an overlay folder
of the same shape may replace any setting (the local stack opens all areas that way). Grades: A
official notice · B practice · C low trust · D our own decision · U unverified. No `if` about a
province stands anywhere else.
"""
