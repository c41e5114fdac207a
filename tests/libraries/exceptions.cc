// SPDX-License-Identifier: MIT
// C++ as programs use it: exceptions thrown through frames with destructors, in several threads at once and
// carried from one thread to another; futures, containers, streams, dynamic casts.
#include <atomic>
#include <exception>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> destroyed;

struct Guard {
    ~Guard()
    {
        destroyed++;
    }
};

struct Shape {
    virtual ~Shape() = default;
};
struct Circle : Shape {
};

static int descend(int depth)
{
    Guard guard;
    if (depth == 0)
        throw std::runtime_error("from the bottom");
    return descend(depth - 1) + 1;
}

static void throw_often(int times)
{
    for (int i = 0; i < times; i++) {
        try {
            descend(20);
        } catch (const std::exception &) {
        }
    }
}

int main()
{
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back(throw_often, 100);
    for (auto &thread : threads)
        thread.join();
    std::cout << "destroyed " << destroyed << "\n";

    auto future = std::async(std::launch::async, [] { return descend(5); });
    try {
        std::cout << future.get() << "\n";
    } catch (const std::runtime_error &error) {
        std::cout << "caught in another thread: " << error.what() << "\n";
    }

    std::exception_ptr carried;
    std::thread([&] {
        try {
            std::map<int, int>().at(7);
        } catch (...) {
            carried = std::current_exception();
        }
    }).join();
    try {
        std::rethrow_exception(carried);
    } catch (const std::out_of_range &) {
        std::cout << "out of range, carried over\n";
    }

    std::unique_ptr<Shape> shape = std::make_unique<Circle>();
    std::cout << "circle: " << (dynamic_cast<Circle *>(shape.get()) != nullptr) << "\n";
    try {
        std::string(static_cast<size_t>(-1), 'x');
    } catch (const std::length_error &) {
        std::cout << "length error\n";
    }
    return 17;
}
