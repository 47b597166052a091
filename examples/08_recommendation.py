"""Lesson 8: what people would like, learned from what they have rated.

The ratings are made here from tastes that the model never sees: each film is so much of four genres, each person likes
each genre so much, some films are better and some people kinder, and nobody rates quite the same twice. That last part,
the noise, can't be learned; so we know how well the best model could do, and how much better than guessing it is.

Run it in any folder:  python 08_recommendation.py
"""

from vivace.collab import *

set_seed(42)
GENRES = ["comedy", "drama", "horror", "western"]
N_USERS, N_FILMS, N_RATINGS, NOISE = 400, 60, 16_000, 0.3

# 1. Hidden tastes, and the ratings that come from them.
random_numbers = np.random.default_rng(0)
films = [f"{GENRES[i % 4]} {i // 4:02d}" for i in range(N_FILMS)]
genre_of_film = np.eye(4)[np.arange(N_FILMS) % 4] + random_numbers.normal(0, 0.15, (N_FILMS, 4))
taste_of_user = random_numbers.normal(0, 1, (N_USERS, 4))
quality, kindness = random_numbers.normal(0, 0.4, N_FILMS), random_numbers.normal(0, 0.4, N_USERS)

pairs = random_numbers.choice(N_USERS * N_FILMS, N_RATINGS, replace=False)  # nobody rates a film twice
user, film = pairs // N_FILMS, pairs % N_FILMS
liked = (taste_of_user[user] * genre_of_film[film]).sum(1)
rating = 3 + liked + quality[film] + kindness[user] + random_numbers.normal(0, NOISE, N_RATINGS)
ratings = pd.DataFrame({"user": [f"user {u:03d}" for u in user], "film": [films[f] for f in film], "rating": rating})

# 2. The same habits as with pictures: loaders, a look, a learner.
dls = CollabDataLoaders.from_df(ratings, seed=42, bs=256)
dls.show_batch(max_n=4)
learn = collab_learner(dls, n_factors=8, metrics=rmse)
learn.fit_one_cycle(20, 3e-2, wd=0.02)

# 3. How good is it? Between guessing the mean and the noise, much nearer to the noise.
guess = (dls.valid_ds.ys["rating"] - dls.train_ds.ys["rating"].mean()).pow(2).mean() ** 0.5
print(f"error of the mean rating {guess:.3f}")
print(f"error of the model       {learn.validate()[1]:.3f}")
print(f"noise                    {NOISE:.3f}")

# 4. The vectors have found the genres, of which nobody told them: look at the neighbours.
print(
    "like western 00:",
    ", ".join(f"{item} ({similarity:.2f})" for item, similarity in learn.similar_items("western 00", 4)),
)
neighbours = [(name, item) for name in films for item, _ in learn.similar_items(name, 5)]
share = np.mean([name.split()[0] == item.split()[0] for name, item in neighbours])
print(f"neighbours of the same genre {share:.3f}")

# 5. What should somebody watch next? Only what they have not rated yet.
print("for user 003:", ", ".join(f"{item} ({rating:.1f})" for item, rating in learn.recommend("user 003", 3)))
best = {films[f] for f in np.argsort(genre_of_film @ taste_of_user[3] + quality)[::-1][:15]}
hits = sum(item in best for item, _ in learn.recommend("user 003", 5))
print(f"recommended that are among the true best quarter: {hits} of 5")

# 6. What is liked by everybody: a film's bias, and how its vector suits the mean of all tastes.
mean_taste = learn.model.weight(dls.classes["user"][1:], is_item=False).mean(0)
liked_by_all = learn.model.bias(films) + learn.model.weight(films) @ mean_taste
print("best films:", ", ".join(films[i] for i in liked_by_all.argsort(descending=True)[:3]))
agreement = np.corrcoef(liked_by_all, quality + genre_of_film @ taste_of_user.mean(0))[0, 1]
print(f"agreement with the hidden quality {agreement:.3f}")

# 7. Keep it: the file holds no ratings, so say what to leave out.
learn.export("films.pkl")
seen = ratings.film[ratings.user == "user 003"]
assert load_learner("films.pkl").recommend("user 003", 3, exclude=seen) == learn.recommend("user 003", 3)
